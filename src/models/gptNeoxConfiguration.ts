/**
 * GPT-NeoX's `config.json`, in the forms that transformers 4 and 5 write.
 *
 * Source: transformers 4.33.3 and 5, models/gpt_neox/configuration_gpt_neox.py.
 */
import { boolean, nullable, number, object, only, optional } from "../base/fields.js";
import {
  contextField,
  harmless,
  headDimOf,
  headsField,
  innerField,
  isHubKey,
  isNull,
  layersField,
  readConfiguration,
  requireSize,
  requireThat,
  vocabularySize,
  widthField,
} from "./configurationFields.js";
import { gptNeox } from "./gptNeox.js";
import type { LanguageModel } from "./language.js";

const share = optional(number(0, 1, { above: true }));
const rotaryBase = optional(number(1, 1e12, { above: true }));
const none = only(undefined, null);
const off = only(undefined, null, false);

const rotaryParameters = optional(
  nullable(
    object(
      {
        rope_type: only(undefined, "default"),
        type: only(undefined, "default"),
        rope_theta: rotaryBase,
        partial_rotary_factor: share,
      },
      { ignored: isNull },
    ),
  ),
);

const gptNeoxConfig = object(
  {
    model_type: harmless,
    num_hidden_layers: layersField,
    hidden_size: widthField,
    num_attention_heads: headsField,
    intermediate_size: innerField,
    max_position_embeddings: contextField,
    vocab_size: vocabularySize,
    use_parallel_residual: optional(boolean, true),
    // Versions up to 4 write the first two; later ones the others at the top, and 5 in rope_parameters.
    rotary_pct: share,
    rotary_emb_base: rotaryBase,
    partial_rotary_factor: share,
    rope_theta: rotaryBase,
    rope_parameters: rotaryParameters,
    rope_scaling: rotaryParameters,
    hidden_act: only(undefined, "gelu"),
    layer_norm_eps: only(undefined, 1e-5),
    tie_word_embeddings: only(undefined, false),
    attention_bias: only(undefined, true),
    is_encoder_decoder: off,
    add_cross_attention: off,
    pruned_heads: only(undefined, null, {}),
    quantization_config: none,
    attention_dropout: harmless,
    hidden_dropout: harmless,
    classifier_dropout: harmless,
  },
  { ignored: isHubKey },
);

export function readGptNeox(file: string, json: unknown, vocabulary: number): LanguageModel {
  const fields = readConfiguration(file, json, gptNeoxConfig);
  const { num_hidden_layers: layers, hidden_size: hiddenSize, num_attention_heads: heads } = fields;
  const inner = fields.intermediate_size;
  const headDim = headDimOf(file, ["hidden_size", hiddenSize], ["num_attention_heads", heads]);
  requireSize(file, { layers, hiddenSize, inner });
  return gptNeox({
    layers,
    hiddenSize,
    heads,
    mlpRatio: inner / hiddenSize,
    vocabulary,
    contextLength: fields.max_position_embeddings,
    ...rotaryOf(file, fields, headDim),
    parallel: fields.use_parallel_residual,
  });
}

interface RotaryFields {
  readonly rope_theta?: number | undefined;
  readonly partial_rotary_factor?: number | undefined;
}

/**
 * How many numbers of a head are turned, and the base of the angles. A file that does not say how many is rejected:
 * transformers would take a quarter, which is right for Pythia alone.
 */
function rotaryOf(
  file: string,
  fields: RotaryFields & {
    readonly rotary_pct: number | undefined;
    readonly rotary_emb_base: number | undefined;
    readonly rope_parameters: RotaryFields | null | undefined;
    readonly rope_scaling: RotaryFields | null | undefined;
  },
  headDim: number,
): { rotaryDim: number; rotaryBase: number } {
  const inside = [fields.rope_parameters, fields.rope_scaling, fields];
  const shares = [fields.rotary_pct, ...inside.map((each) => each?.partial_rotary_factor)];
  const bases = [fields.rotary_emb_base, ...inside.map((each) => each?.rope_theta)];
  const names = "rotary_pct, or partial_rotary_factor in rope_parameters";
  const share = agreed(file, shares, names);
  requireThat(share !== undefined, file, `${names}, is missing`);
  const rotated = Math.floor(headDim * share!);
  requireThat(
    rotated >= 2 && rotated % 2 === 0,
    file,
    `the share ${share} (${names}) turns ${rotated} of the ${headDim} numbers of a head; it must be an even number`,
  );
  const base = agreed(file, bases, "rotary_emb_base, or rope_theta in rope_parameters");
  return { rotaryDim: rotated, rotaryBase: base ?? 10_000 }; // the same in all versions, and in all models that were released
}

/** The value that all forms give which are in the file. */
function agreed(file: string, values: readonly (number | undefined)[], names: string): number | undefined {
  const given = [...new Set(values.filter((value) => value !== undefined))];
  requireThat(given.length <= 1, file, `${names}, is given as ${given.join(" and as ")}`);
  return given[0];
}
