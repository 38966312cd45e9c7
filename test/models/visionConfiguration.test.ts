/** What open_clip's configuration may ask for of the whole of CLIP, and that generation does not need. */
import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { createGraph, input, output, print } from "../../src/graph/index.js";
import { visionConfiguration } from "../../src/models/configuration.js";
import { params } from "../../src/models/layers.js";
import { vit } from "../../src/models/vit.js";

const vision_cfg = { image_size: 32, layers: 3, width: 32, patch_size: 8, head_width: 8 };
const read = (model: object) => visionConfiguration("clip.json", { model_cfg: { vision_cfg, ...model } });

test("sizes of the text tower are open_clip's where the file has none", () => {
  expect(read({ embed_dim: 512, text_cfg: {} }).text()).toEqual({
    contextLength: 77,
    vocabulary: 49_408,
    hiddenSize: 512,
    heads: 8,
    layers: 12,
    mlpRatio: 4,
    activation: "gelu",
    features: 512,
  });
  const text_cfg = { context_length: 24, vocab_size: 140, width: 24, heads: 3, layers: 2, mlp_ratio: 2 };
  expect(read({ embed_dim: 20, text_cfg, quick_gelu: true }).text()).toEqual({
    contextLength: 24,
    vocabulary: 140,
    hiddenSize: 24,
    heads: 3,
    layers: 2,
    mlpRatio: 2,
    activation: "quickGelu",
    features: 20,
  });
});

function rejectionOf(ask: () => unknown): OpenFlamingoError {
  try {
    ask();
  } catch (error) {
    if (error instanceof OpenFlamingoError) return error;
    throw error;
  }
  throw new Error("nothing was rejected");
}

test("a file without features and text tower is read, and rejected only when they are asked for", () => {
  const vision = read({});
  expect(vision.vit.hiddenSize).toBe(32);
  expect(rejectionOf(() => vision.featureWidth()).message).toContain("clip.json: model_cfg.embed_dim is ");
  expect(rejectionOf(() => read({ embed_dim: 8 }).text()).message).toContain("model_cfg.text_cfg");
});

test.each([
  [{ hf_model_name: "roberta-base" }, "hf_model_name"],
  [{ pool_type: "last" }, "pool_type"],
  [{ embed_cls: true }, "embed_cls"],
  [{ no_causal_mask: true }, "no_causal_mask"],
  [{ proj_type: "none" }, "proj_type"],
  [{ ls_init_value: 1e-5 }, "ls_init_value"],
])("a text tower with %j is rejected with a specific error, once it is asked for", (setting, name) => {
  const vision = read({ embed_dim: 8, text_cfg: setting });
  expect(vision.featureWidth()).toBe(8);
  const { code, message } = rejectionOf(() => vision.text());
  expect(code).toBe("model-unsupported");
  expect(message).toContain(`clip.json: model_cfg.text_cfg.${name} is `);
});

test("a width that the heads do not divide is no text tower", () => {
  const { code, message } = rejectionOf(() => read({ embed_dim: 8, text_cfg: { width: 60 } }).text());
  expect(code).toBe("model-invalid");
  expect(message).toBe("clip.json: width 60 is not a multiple of heads 8");
});

const whole = (
  vision: object,
  { model = {}, preprocess = {} }: { model?: object; preprocess?: object } = {},
) =>
  visionConfiguration("clip.json", {
    model_cfg: { embed_dim: 8, vision_cfg: { ...vision_cfg, ...vision }, ...model },
    preprocess_cfg: preprocess,
  });

test("open_clip's files are read: those of OpenAI's and LAION's models, old and new", () => {
  const text_cfg = { context_length: 77, vocab_size: 49408, width: 768, heads: 12, layers: 12 };
  const vitL14 = { image_size: 224, layers: 24, width: 1024, patch_size: 14 };
  const [mean, std] = [
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
  ];
  const openai = {
    model_cfg: { embed_dim: 768, vision_cfg: vitL14, text_cfg, quick_gelu: true },
    preprocess_cfg: { mean, std, interpolation: "bicubic", resize_mode: "shortest" },
  };
  const g14 = {
    image_size: 224,
    layers: 40,
    width: 1408,
    head_width: 88,
    mlp_ratio: 4.3637,
    patch_size: 14,
  };
  const laion = { model_cfg: { embed_dim: 1024, vision_cfg: g14, text_cfg }, preprocess_cfg: { mean, std } };
  const preprocess_cfg = { ...openai.preprocess_cfg, size: [224, 224], mode: "RGB", fill_color: 0 };
  const newer = {
    model_cfg: {
      ...openai.model_cfg,
      vision_cfg: {
        ...vitL14,
        image_size: [224, 224],
        ls_init_value: null,
        patch_dropout: 0.0,
        attentional_pool: false,
        pool_type: "tok",
        no_ln_pre: false,
        final_ln_after_pool: false,
        act_kwargs: {},
        norm_kwargs: {},
        timm_model_name: null,
        timm_drop: 0.0,
        output_tokens: false,
      },
      init_logit_scale: 2.6592,
      custom_text: false,
    },
    preprocess_cfg,
  };
  for (const json of [openai, laion, newer]) {
    const found = visionConfiguration("clip.json", json);
    expect(found.mean).toEqual(mean);
    expect(found.text().layers).toBe(12);
  }
  expect(visionConfiguration("clip.json", newer)).toMatchObject({ vit: { imageSize: 224, heads: 16 } });
});

test.each([
  [{ global_average_pool: true }, "global_average_pool"],
  [{ pool_type: "avg" }, "pool_type"],
  [{ pool_type: "none" }, "pool_type"],
  [{ norm_kwargs: { eps: 1e-6 } }, "norm_kwargs"],
  [{ act_kwargs: { approximate: "tanh" } }, "act_kwargs"],
  [{ attentional_pool: true }, "attentional_pool"],
  [{ input_patchnorm: true }, "input_patchnorm"],
  [{ ls_init_value: 1e-5 }, "ls_init_value"],
  [{ no_ln_pre: true }, "no_ln_pre"],
  [{ pos_embed_type: "sin_cos_2d" }, "pos_embed_type"],
  [{ timm_model_name: "vit_base" }, "timm_model_name"],
  [{ qk_norm: true }, "qk_norm"],
])("a vision tower with %j is rejected with a specific error", (setting, name) => {
  const { code, message } = rejectionOf(() => whole(setting));
  expect(code).toBe("model-unsupported");
  expect(message).toContain(`clip.json: model_cfg.vision_cfg.${name} is `);
});

test.each([
  [{ resize_mode: "squash" }, "resize_mode"],
  [{ resize_mode: "longest", fill_color: 127 }, "resize_mode"],
  [{ interpolation: "bilinear" }, "interpolation"],
  [{ mode: "L" }, "mode"],
  [{ size: 224 }, "size"],
  [{ size: [32, 48] }, "size"],
])("images that are prepared with %j are rejected with a specific error", (preprocess, name) => {
  const { code, message } = rejectionOf(() => whole({}, { preprocess }));
  expect(code).toBe("model-unsupported");
  expect(message).toContain(`clip.json: preprocess_cfg.${name} is `);
});

test("what changes nothing is read", () => {
  const preprocess = {
    size: 32,
    mode: "RGB",
    resize_mode: "shortest",
    interpolation: "bicubic",
    fill_color: 255,
  };
  expect(whole({ patch_dropout: 0.5, timm_pool: "avg" }, { preprocess }).vit).toEqual(whole({}).vit);
});

test.each([
  ["quick_gelu", { model: { quick_gelu: "true" } }],
  ["quick_gelu", { model: { quick_gelu: 1 } }],
  ["quick_gelu", { model: { quick_gelu: null } }],
])("%s is true or false: %j", (name, change) => {
  const { code, message } = rejectionOf(() => whole({}, change));
  expect(code).toBe("model-invalid");
  expect(message).toMatch(new RegExp(`clip.json: model_cfg.${name} is .*; it must be true or false`));
});

test.each([
  [{ mlp_ratio: -4 }, "mlp_ratio is -4"],
  [{ mlp_ratio: 0 }, "mlp_ratio is 0"],
  [{ mlp_ratio: "4" }, 'mlp_ratio is "4"'],
  [{ layers: [3, 4, 6, 3] }, "layers is [3,4,6,3]"],
  [{ layers: 2 ** 24 }, "layers is 16777216"],
  [{ width: 2 ** 31 }, "width is 2147483648"],
  [{ image_size: 2 ** 24 }, "image_size is 16777216"],
  [{ image_size: [32, 40] }, "image_size is [32,40]"],
  [{ patch_size: 0.5 }, "patch_size is 0.5"],
  [{ head_width: null }, "head_width is null"],
  [{ patch_dropout: -1 }, "patch_dropout is -1"],
])("%j is no vision tower", (setting, message) => {
  const error = rejectionOf(() => whole(setting));
  expect(error.code).toBe("model-invalid");
  expect(error.message).toContain(`model_cfg.vision_cfg.${message}; it must be `);
});

test.each([
  [{ image_size: 4096, patch_size: 1 }, "16777216 patches an image"],
  [{ width: 65536, head_width: 1 }, "65536 heads"],
  [{ mlp_ratio: 0.01 }, "mlp_ratio 0.01 of width 32 leaves no feed-forward layer"],
  [
    { width: 65536, head_width: 64, layers: 96 },
    "96 layers of width 65536 would have 4947802324992 parameters; at most 137438953472",
  ],
])("%j is too much, or too little", (setting, message) => {
  const error = rejectionOf(() => whole(setting));
  expect(error.code).toBe("model-invalid");
  expect(error.message).toContain(`clip.json: ${message}`);
});

test.each([
  [{ std: [0, 1, 1] }, "preprocess_cfg.std[0] is 0"],
  [{ std: [1, 1] }, "preprocess_cfg.std is [1,1]; it must be a list of 3"],
  [{ mean: [0.5, "0.5", 0.5] }, 'preprocess_cfg.mean[1] is "0.5"'],
  [{ mean: 0.5 }, "preprocess_cfg.mean is 0.5"],
])("%j is no way to prepare images", (preprocess, message) => {
  const error = rejectionOf(() => whole({}, { preprocess }));
  expect(error.code).toBe("model-invalid");
  expect(error.message).toContain(message);
});

test("keys that nobody knows are named", () => {
  expect(rejectionOf(() => whole({ window: 7 })).message).toContain(
    '"model_cfg.vision_cfg.window" is no key',
  );
  expect(rejectionOf(() => whole({}, { model: { tau: 7 } })).message).toContain('"model_cfg.tau" is no key');
  expect(rejectionOf(() => whole({}, { preprocess: { crop: 0.9 } })).message).toContain(
    '"preprocess_cfg.crop" is',
  );
});

test("a width that mlp_ratio does not make whole is cut, as Python's int does it", () => {
  const graph = createGraph("tower");
  const pixels = input(graph, "pixels", "float32", [1, 3, 32, 32]);
  output(graph, "y", vit(params(graph), pixels, whole({ mlp_ratio: 4.3637 }).vit));
  expect(print(graph)).toMatch(/resblocks\.0\.mlp\.c_fc\.weight: float32 \(139, 32\)/);
});
