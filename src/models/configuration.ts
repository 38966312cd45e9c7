/**
 * From the configuration files of the hub to the models' own: open_clip's `open_clip_config.json` for the vision
 * encoder, Hugging Face's `config.json` for the language model. What a file asks for and no model here can do is
 * refused by name: a setting that is passed over would give other answers than the original.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { LanguageModel } from "./language.js";
import { mpt } from "./mpt.js";
import type { VitConfig } from "./vit.js";

type Colours = readonly [number, number, number];

/** The fields of a JSON object, read one by one with their types checked. */
function fieldsOf(file: string, json: unknown, path = "") {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw invalid(file, `${path || "the file"} is not an object`);
  }
  const fields = json as Readonly<Record<string, unknown>>;
  const at = (name: string) => (path ? `${path}.${name}` : name);
  return {
    within: (name: string) => fieldsOf(file, fields[name], at(name)),
    size(name: string, byDefault?: number): number {
      const value = fields[name] ?? byDefault;
      if (typeof value === "number" && Number.isSafeInteger(value) && value > 0) return value;
      throw invalid(file, `${at(name)} is ${JSON.stringify(fields[name])}, not a positive whole number`);
    },
    number(name: string, byDefault: number): number {
      const value = fields[name] ?? byDefault;
      if (typeof value === "number" && Number.isFinite(value)) return value;
      throw invalid(file, `${at(name)} is ${JSON.stringify(value)}, not a number`);
    },
    /** One number for each of red, green and blue. */
    colours(name: string, byDefault: Colours): Colours {
      const value = fields[name] ?? byDefault;
      if (Array.isArray(value) && value.length === 3 && value.every(Number.isFinite))
        return value as unknown as Colours;
      throw invalid(file, `${at(name)} is not a list of 3 numbers`);
    },
    flag: (name: string): boolean => fields[name] === true,
    text: (name: string): string => String(fields[name]),
    has: (name: string): boolean => fields[name] !== undefined && fields[name] !== null,
    /** Refuses a setting that has another value than the only one that is built. */
    only(name: string, ...allowed: readonly unknown[]): void {
      if (allowed.includes(fields[name] ?? null)) return;
      throw new OpenFlamingoError(
        "model-unsupported",
        `${file}: ${at(name)} is ${JSON.stringify(fields[name])}, only ${allowed.map((each) => JSON.stringify(each)).join(" or ")} is supported`,
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
  const headWidth = vision.size("head_width", 64);
  const imageSize = vision.size("image_size");
  const patchSize = vision.size("patch_size");
  if (width % headWidth !== 0)
    throw invalid(file, `width ${width} is not a multiple of head_width ${headWidth}`);
  if (imageSize % patchSize !== 0) {
    throw invalid(file, `image_size ${imageSize} is not a multiple of patch_size ${patchSize}`);
  }
  return {
    vit: {
      imageSize,
      patchSize,
      width,
      layers: vision.size("layers"),
      heads: width / headWidth,
      mlpRatio: vision.number("mlp_ratio", 4),
      activation: model.flag("quick_gelu") ? "quickGelu" : "gelu",
    },
    mean: preprocess.colours("mean", clipMean),
    std: preprocess.colours("std", clipStd),
  };
}

/**
 * @param vocabulary rows of the embedding, with the tokens that Flamingo adds
 * @throws OpenFlamingoError `model-invalid` for a missing or wrong field, `model-unsupported` for a kind of model or a
 *   setting that is not built
 */
export function languageModel(file: string, json: unknown, vocabulary: number): LanguageModel {
  const fields = fieldsOf(file, json);
  const kind = fields.text("model_type");
  if (kind !== "mpt") {
    throw new OpenFlamingoError(
      "model-unsupported",
      `${file}: model_type is ${JSON.stringify(kind)}, only "mpt" is supported`,
    );
  }
  fields.only("no_bias", true);
  fields.only("logit_scale", null);
  fields.only("norm_type", null, "low_precision_layernorm", "layernorm");
  const attention = fields.within("attn_config");
  attention.only("alibi", true);
  attention.only("clip_qkv", null);
  attention.only("qk_ln", null, false);
  attention.only("prefix_lm", null, false);
  attention.only("softmax_scale", null);
  const width = fields.size("d_model");
  const heads = fields.size("n_heads");
  if (width % heads !== 0) throw invalid(file, `d_model ${width} is not a multiple of n_heads ${heads}`);
  return mpt({
    layers: fields.size("n_layers"),
    width,
    heads,
    expansion: fields.size("expansion_ratio", 4),
    vocabulary,
    positions: fields.size("max_seq_len"),
    alibiMax: attention.number("alibi_bias_max", 8),
  });
}
