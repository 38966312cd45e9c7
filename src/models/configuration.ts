/**
 * From the configuration files of the hub to the models' own: open_clip's `open_clip_config.json` for the vision
 * encoder, Hugging Face's `config.json` for the language model. What a file asks for and no model here can do is
 * rejected with a specific error: a setting that is ignored would give other answers than the reference
 * implementation.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, quoted } from "../base/json.js";
import type { ClipTextConfig } from "./clipText.js";
import { gptNeox } from "./gptNeox.js";
import type { LanguageModel } from "./language.js";
import { mosaicGpt } from "./mosaicGpt.js";
import { mpt } from "./mpt.js";
import type { VitConfig } from "./vit.js";

type Colours = readonly [number, number, number];

type Fields = ReturnType<typeof fieldsOf>;

// A model is written out block by block and head by head before its weights are looked for.
const largestSize = 2 ** 24;
const mostLayers = 512;
const mostHeads = 1024;

/** The fields of a JSON object, read one by one with their types checked. */
function fieldsOf(file: string, json: unknown, path = "") {
  if (!isObject(json)) throw invalid(file, `${path || "the file"} is not an object`);
  const fields = json;
  const at = (name: string) => (path ? `${path}.${name}` : name);
  return {
    within: (name: string) => fieldsOf(file, fields[name], at(name)),
    size(name: string, byDefault?: number, most = largestSize): number {
      const value = fields[name] ?? byDefault;
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value <= 0) {
        throw invalid(file, `${at(name)} is ${quoted(fields[name])}, not a positive whole number`);
      }
      if (value > most) throw invalid(file, `${at(name)} is ${value}, and no model has more than ${most}`);
      return value;
    },
    number(name: string, byDefault: number): number {
      const value = fields[name] ?? byDefault;
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw invalid(file, `${at(name)} is ${quoted(value)}, not a number`);
    },
    /** One number for each of red, green and blue. */
    colours(name: string, byDefault: Colours): Colours {
      const value = fields[name] ?? byDefault;
      if (Array.isArray(value) && value.length === 3 && value.every(Number.isFinite))
        return value as unknown as Colours;
      throw invalid(file, `${at(name)} is not a list of 3 numbers`);
    },
    flag: (name: string, byDefault = false): boolean => (fields[name] ?? byDefault) === true,
    value: (name: string): unknown => fields[name],
    has: (name: string): boolean => fields[name] !== undefined && fields[name] !== null,
    /** Rejects a setting that has another value than the only one that is built. */
    only(name: string, ...allowed: readonly unknown[]): void {
      if (allowed.includes(fields[name] ?? null)) return;
      throw new OpenFlamingoError(
        "model-unsupported",
        `${file}: ${at(name)} is ${quoted(fields[name])}, only ${allowed.map(quoted).join(" or ")} is supported`,
        { hint: "The model wants something that this program does not have." },
      );
    },
  };
}

const invalid = (file: string, what: string) =>
  new OpenFlamingoError("model-invalid", `${file}: ${what}`, {
    hint: "Is this the configuration that belongs to the weights?",
  });

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

/**
 * @param file its name, for errors
 * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of tower that
 *   is not built
 */
export function visionConfiguration(file: string, json: unknown): VisionConfiguration {
  const root = fieldsOf(file, json);
  const model = root.within("model_cfg");
  const vision = model.within("vision_cfg");
  const preprocess = root.has("preprocess_cfg") ? root.within("preprocess_cfg") : fieldsOf(file, {});
  for (const name of [
    "timm_model_name",
    "attentional_pool",
    "patch_dropout",
    "input_patchnorm",
    "ls_init_value",
  ]) {
    vision.only(name, null, false, 0, 0.0);
  }
  const width = vision.size("width");
  const headDim = vision.size("head_width", 64);
  const imageSize = vision.size("image_size");
  const patchSize = vision.size("patch_size");
  if (width % headDim !== 0) throw invalid(file, `width ${width} is not a multiple of head_width ${headDim}`);
  if (imageSize % patchSize !== 0) {
    throw invalid(file, `image_size ${imageSize} is not a multiple of patch_size ${patchSize}`);
  }
  const activation = model.flag("quick_gelu") ? "quickGelu" : "gelu";
  const featureWidth = () => model.size("embed_dim");
  return {
    vit: {
      imageSize,
      patchSize,
      hiddenSize: width,
      layers: vision.size("layers", undefined, mostLayers),
      heads: width / headDim,
      mlpRatio: vision.number("mlp_ratio", 4),
      activation,
    },
    featureWidth,
    text: () => textTower(file, model, { activation, features: featureWidth() }),
    mean: preprocess.colours("mean", clipMean),
    std: preprocess.colours("std", clipStd),
  };
}

/** Defaults: open_clip's `CLIPTextCfg`. */
function textTower(
  file: string,
  model: Fields,
  shared: Pick<ClipTextConfig, "activation" | "features">,
): ClipTextConfig {
  model.only("custom_text", null, false);
  model.only("multimodal_cfg", null);
  const text = model.within("text_cfg");
  for (const name of [
    "hf_model_name",
    "hf_tokenizer_name",
    "ls_init_value",
    "embed_cls",
    "no_causal_mask",
    "use_pad_mask",
    "final_ln_after_pool",
    "proj_bias",
    "act_kwargs",
    "norm_kwargs",
  ]) {
    text.only(name, null, false);
  }
  text.only("pool_type", null, "argmax");
  text.only("proj_type", null, "linear");
  return {
    contextLength: text.size("context_length", 77),
    vocabulary: text.size("vocab_size", 49_408),
    ...headsOf(file, text, "width", "heads", { hiddenSize: 512, heads: 8 }),
    layers: text.size("layers", 12, mostLayers),
    mlpRatio: text.number("mlp_ratio", 4),
    ...shared,
  };
}

/**
 * @param vocabulary rows of the embedding, with the tokens that Flamingo adds
 * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of model or a
 *   setting that is not built
 */
export function languageModel(file: string, json: unknown, vocabulary: number): LanguageModel {
  const fields = fieldsOf(file, json);
  const kind = fields.value("model_type");
  const reader = languageModels.get(String(kind));
  if (!reader) {
    const supported = [...languageModels.keys()].map(quoted).join(", ");
    throw new OpenFlamingoError(
      "model-unsupported",
      `${file}: model_type is ${quoted(kind)}, supported are ${supported}`,
      { hint: "Only models of these kinds can be opened." },
    );
  }
  return reader(file, fields, vocabulary);
}

/** By `model_type`. */
const languageModels = new Map<string, (file: string, fields: Fields, vocabulary: number) => LanguageModel>([
  ["mpt", readMpt],
  ["mosaic_gpt", readMosaicGpt],
  ["gpt_neox", readGptNeox],
]);

function readMpt(file: string, fields: Fields, vocabulary: number): LanguageModel {
  fields.only("no_bias", true);
  fields.only("logit_scale", null);
  fields.only("norm_type", null, "low_precision_layernorm", "layernorm");
  const attention = fields.within("attn_config");
  attention.only("attn_type", null, "multihead_attention");
  attention.only("attn_uses_sequence_id", null, false);
  attention.only("alibi", true);
  attention.only("clip_qkv", null);
  attention.only("qk_ln", null, false);
  attention.only("prefix_lm", null, false);
  attention.only("softmax_scale", null);
  return mpt({
    layers: fields.size("n_layers", undefined, mostLayers),
    ...headsOf(file, fields, "d_model", "n_heads"),
    mlpRatio: fields.size("expansion_ratio", 4),
    vocabulary,
    contextLength: fields.size("max_seq_len"),
    alibiMax: attention.number("alibi_bias_max", 8),
  });
}

function readMosaicGpt(file: string, fields: Fields, vocabulary: number): LanguageModel {
  fields.only("no_bias", true);
  fields.only("logit_scale", null);
  fields.only("alibi", true);
  fields.only("attn_clip_qkv", null);
  fields.only("attn_uses_sequence_id", null, false);
  fields.only("prefix_lm", null, false);
  fields.only("softmax_scale", null);
  return mosaicGpt({
    layers: fields.size("n_layers", undefined, mostLayers),
    ...headsOf(file, fields, "d_model", "n_heads"),
    mlpRatio: fields.size("mlp_ratio", 4),
    vocabulary,
    contextLength: fields.size("max_seq_len"),
    alibiMax: fields.number("alibi_bias_max", 8),
    queryKeyNorm: fields.flag("attn_qk_ln"),
  });
}

function readGptNeox(file: string, fields: Fields, vocabulary: number): LanguageModel {
  fields.only("hidden_act", "gelu");
  fields.only("layer_norm_eps", null, 1e-5);
  fields.only("tie_word_embeddings", null, false);
  fields.only("attention_bias", null, true);
  fields.only("rope_scaling", null);
  const sizes = headsOf(file, fields, "hidden_size", "num_attention_heads");
  const share = fields.number("rotary_pct", 0.25);
  const rotated = Math.floor((sizes.hiddenSize / sizes.heads) * share);
  if (!(share > 0 && share <= 1 && rotated % 2 === 0)) {
    throw invalid(
      file,
      `rotary_pct ${share} turns ${rotated} of the ${sizes.hiddenSize / sizes.heads} numbers of a head`,
    );
  }
  return gptNeox({
    layers: fields.size("num_hidden_layers", undefined, mostLayers),
    ...sizes,
    mlpRatio: fields.size("intermediate_size") / sizes.hiddenSize,
    vocabulary,
    contextLength: fields.size("max_position_embeddings"),
    rotaryDim: rotated,
    rotaryBase: fields.number("rotary_emb_base", 10_000),
    parallel: fields.flag("use_parallel_residual", true),
  });
}

function headsOf(
  file: string,
  fields: Fields,
  widthName: string,
  headsName: string,
  byDefault: { readonly hiddenSize?: number; readonly heads?: number } = {},
) {
  const width = fields.size(widthName, byDefault.hiddenSize);
  const heads = fields.size(headsName, byDefault.heads, mostHeads);
  if (width % heads === 0) return { hiddenSize: width, heads };
  throw invalid(file, `${widthName} ${width} is not a multiple of ${headsName} ${heads}`);
}
