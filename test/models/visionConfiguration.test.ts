/** What open_clip's configuration may ask for of the whole of CLIP, and that generation does not mind. */
import { expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { visionConfiguration } from "../../src/models/configuration.js";

const vision_cfg = { image_size: 32, layers: 3, hiddenSize: 32, patch_size: 8, head_width: 8 };
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
  const text_cfg = { context_length: 24, vocab_size: 140, hiddenSize: 24, heads: 3, layers: 2, mlp_ratio: 2 };
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
  const { code, message } = rejectionOf(() => read({ embed_dim: 8, text_cfg: { hiddenSize: 60 } }).text());
  expect(code).toBe("model-invalid");
  expect(message).toBe("clip.json: width 60 is not a multiple of heads 8");
});
