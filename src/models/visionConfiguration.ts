/**
 * The vision encoder's configuration, and that of the text tower beside it: open_clip's `open_clip_config.json`.
 *
 * Source: open_clip 2.20.0 (`CLIPVisionCfg`, `CLIPTextCfg`, `PreprocessCfg` of later versions), for the keys of later
 * versions 3.2.
 */
import {
  anything,
  boolean,
  integer,
  listOf,
  number,
  object,
  only,
  optional,
  type Reader,
} from "../base/fields.js";
import type { ClipTextConfig } from "./clipText.js";
import {
  contextField,
  harmless,
  headDimOf,
  headsField,
  isNull,
  layersField,
  readConfiguration,
  requireSize,
  requireThat,
  vocabularyField,
  widthField,
} from "./configurationFields.js";
import type { VitConfig } from "./vit.js";

type Colours = readonly [number, number, number];

export interface VisionConfiguration {
  readonly vit: VitConfig;
  /**
   * The width of the features that images and texts share. Only read when it is asked for: generation does not need
   * it.
   *
   * @throws OpenFlamingoError `model-invalid`
   */
  featureWidth(): number;
  /**
   * The text tower, of which the same is true.
   *
   * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of tower
   *   that is not built
   */
  text(): ClipTextConfig;
  /** Of each colour, on the scale of 0 to 1. */
  readonly mean: Colours;
  readonly std: Colours;
}

/** CLIP's own mean and standard deviation of colours. */
const clipMean: Colours = [0.48145466, 0.4578275, 0.40821073];
const clipStd: Colours = [0.26862954, 0.26130258, 0.27577711];

/** Attention costs the square of the number of patches. */
const mostPatches = 2 ** 16;

const none = only(undefined, null);
const off = only(undefined, null, false);
const defaultNorm = only(undefined, null, {}, { eps: 1e-5 });
const ratio = optional(number(0, 64, { above: true }), 4);

/** A size, or the same one twice as height and width. */
const side =
  (max: number): Reader<number> =>
  (value, at, report) =>
    integer(1, max)(
      Array.isArray(value) && value.length === 2 && value[0] === value[1] ? value[0] : value,
      at,
      report,
    );

const colours = (reader: Reader<number>) => listOf(reader, 3, 3) as unknown as Reader<Colours>;

/** Kinds of blocks that later versions of open_clip can build. */
const blockKinds = {
  ls_init_value: none,
  act_kwargs: only(undefined, null, {}),
  norm_kwargs: defaultNorm,
  block_type: none,
  qk_norm: off,
  scaled_cosine_attn: off,
  scale_heads: off,
  scale_attn_inner: off,
  scale_attn: off,
  scale_fc: off,
  output_tokens: harmless,
};

const visionTable = {
  image_size: side(4096),
  patch_size: side(4096),
  width: widthField,
  layers: layersField,
  head_width: optional(integer(1, 1024), 64),
  mlp_ratio: ratio,
  ...blockKinds,
  attentional_pool: off,
  attn_pooler_queries: harmless,
  attn_pooler_heads: harmless,
  patch_dropout: optional(number(0, 1)), // in training
  input_patchnorm: off,
  global_average_pool: off,
  pool_type: only(undefined, "tok"),
  final_ln_after_pool: off,
  no_ln_pre: off,
  pos_embed_type: only(undefined, "learnable"),
  timm_model_name: only(undefined, null, ""),
  timm_model_pretrained: harmless, // this and what follows: settings of timm's model
  timm_pool: harmless,
  timm_proj: harmless,
  timm_proj_bias: harmless,
  timm_drop: harmless,
  timm_drop_path: harmless,
};

const modelTable = {
  embed_dim: anything, // this and what concerns texts: read when it is asked for
  text_cfg: anything,
  custom_text: anything,
  multimodal_cfg: anything,
  vision_cfg: object(visionTable, { ignored: isNull }),
  quick_gelu: optional(boolean, false),
  init_logit_scale: harmless,
  init_logit_bias: harmless,
  nonscalar_logit_scale: harmless,
  cast_dtype: harmless,
  output_dict: harmless,
};

const preprocessTable = {
  size: anything,
  mean: optional(colours(number(0, 1)), clipMean),
  std: optional(colours(number(0, 1, { above: true })), clipStd),
  mode: only(undefined, "RGB"),
  interpolation: only(undefined, "bicubic"),
  resize_mode: only(undefined, "shortest"),
  fill_color: harmless, // of a border, which the mode "shortest" has not
};

const clipConfig = object({
  model_cfg: object(modelTable, { ignored: isNull }),
  preprocess_cfg: optional(object(preprocessTable, { ignored: isNull })),
});

/**
 * @param file its name, for errors
 * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of tower or a
 *   setting that is not built
 */
export function visionConfiguration(file: string, json: unknown): VisionConfiguration {
  const { model_cfg: model, preprocess_cfg: preprocess } = readConfiguration(file, json, clipConfig);
  const {
    width: hiddenSize,
    layers,
    head_width: headDim,
    image_size: imageSize,
    patch_size: patchSize,
  } = model.vision_cfg;
  const mlpRatio = model.vision_cfg.mlp_ratio;
  requireThat(
    hiddenSize % headDim === 0,
    file,
    `width ${hiddenSize} is not a multiple of head_width ${headDim}`,
  );
  requireThat(
    imageSize % patchSize === 0,
    file,
    `image_size ${imageSize} is not a multiple of patch_size ${patchSize}`,
  );
  const patches = (imageSize / patchSize) ** 2;
  requireThat(patches <= mostPatches, file, `${patches} patches an image; at most ${mostPatches} are read`);
  requireThat(hiddenSize / headDim <= 1024, file, `${hiddenSize / headDim} heads; at most 1024 are read`);
  requireBlocks(file, { layers, hiddenSize, mlpRatio });
  requireSquare(file, preprocess?.size, imageSize);
  const activation = model.quick_gelu ? "quickGelu" : "gelu";
  const featureWidth = () =>
    readConfiguration(
      file,
      { model_cfg: { embed_dim: model.embed_dim } },
      object({ model_cfg: object({ embed_dim: widthField }) }),
    ).model_cfg.embed_dim;
  return {
    vit: { imageSize, patchSize, hiddenSize, layers, heads: hiddenSize / headDim, mlpRatio, activation },
    featureWidth,
    text: () => textTower(file, model, { activation, features: featureWidth() }),
    mean: preprocess?.mean ?? clipMean,
    std: preprocess?.std ?? clipStd,
  };
}

/** Later versions of open_clip write the size that images are brought to beside the model's own. */
function requireSquare(file: string, size: unknown, imageSize: number): void {
  const table = { size: only(undefined, null, imageSize, [imageSize, imageSize]) };
  readConfiguration(file, { preprocess_cfg: { size } }, object({ preprocess_cfg: object(table) }));
}

function requireBlocks(
  file: string,
  { layers, hiddenSize, mlpRatio }: Pick<VitConfig, "layers" | "hiddenSize" | "mlpRatio">,
): void {
  const inner = Math.trunc(mlpRatio * hiddenSize);
  requireThat(inner >= 1, file, `mlp_ratio ${mlpRatio} of width ${hiddenSize} leaves no feed-forward layer`);
  requireSize(file, { layers, hiddenSize, inner });
}

/** Defaults: open_clip's `CLIPTextCfg`. */
const textTable = {
  context_length: optional(contextField, 77),
  vocab_size: optional(vocabularyField, 49_408),
  width: optional(widthField, 512),
  heads: optional(headsField, 8),
  layers: optional(layersField, 12),
  mlp_ratio: ratio,
  ...blockKinds,
  hf_model_name: none,
  hf_tokenizer_name: only(undefined, null, ""),
  hf_model_pretrained: harmless, // this and what follows: settings of Hugging Face's model
  hf_proj_type: harmless,
  hf_pooler_type: harmless,
  embed_cls: off,
  no_causal_mask: off,
  use_pad_mask: off,
  correct_cls_mask: off,
  final_ln_after_pool: off,
  proj_bias: off,
  proj_type: only(undefined, "linear"),
  pool_type: only(undefined, null, "argmax"),
  pad_id: harmless, // of the class token's mask
  eos_id: harmless,
  tokenizer_mode: none,
  tokenizer_kwargs: only(undefined, null, {}),
};

function textTower(
  file: string,
  {
    custom_text,
    multimodal_cfg,
    text_cfg,
  }: { custom_text: unknown; multimodal_cfg: unknown; text_cfg: unknown },
  shared: Pick<ClipTextConfig, "activation" | "features">,
): ClipTextConfig {
  const table = { custom_text: off, multimodal_cfg: none, text_cfg: object(textTable, { ignored: isNull }) };
  const json = { model_cfg: { custom_text, multimodal_cfg, text_cfg } };
  const text = readConfiguration(file, json, object({ model_cfg: object(table) })).model_cfg.text_cfg;
  const { width: hiddenSize, heads, layers, mlp_ratio: mlpRatio } = text;
  headDimOf(file, ["width", hiddenSize], ["heads", heads]);
  requireBlocks(file, { layers, hiddenSize, mlpRatio });
  return {
    contextLength: text.context_length,
    vocabulary: text.vocab_size,
    hiddenSize,
    heads,
    layers,
    mlpRatio,
    ...shared,
  };
}
