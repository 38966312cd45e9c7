/**
 * What a language model's files say of generation: `generation_config.json`, or `config.json` where there is none. Only
 * The compatible API reads it; the high-level API has its own defaults.
 *
 * Source: transformers 4.33.3, generation/configuration_utils.py, `GenerationConfig`.
 */
import { boolean, integer, listOf, nullable, object, only, optional, type Reader } from "../base/fields.js";
import { isObject } from "../base/json.js";
import { readConfiguration } from "./configurationFields.js";

export interface GenerationConfiguration {
  /** What ends an answer; −1, or undefined, for nothing. */
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly useCache: boolean;
}

/** Settings with the values that transformers takes where a file has none: The compatible API has the same. */
const defaults = {
  max_length: 20,
  min_length: 0,
  do_sample: false,
  early_stopping: false,
  num_beams: 1,
  num_beam_groups: 1,
  diversity_penalty: 0,
  temperature: 1,
  top_k: 50,
  top_p: 1,
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  repetition_penalty: 1,
  encoder_repetition_penalty: 1,
  length_penalty: 1,
  no_repeat_ngram_size: 0,
  encoder_no_repeat_ngram_size: 0,
  num_return_sequences: 1,
  remove_invalid_values: false,
  renormalize_logits: false,
  guidance_scale: 1,
};
const without = [
  "max_new_tokens",
  "min_new_tokens",
  "min_p",
  "max_time",
  "penalty_alpha",
  "bad_words_ids",
  "force_words_ids",
  "constraints",
  "sequence_bias",
  "forced_bos_token_id",
  "forced_eos_token_id",
  "exponential_decay_length_penalty",
  "suppress_tokens",
  "begin_suppress_tokens",
  "forced_decoder_ids",
  "stop_strings",
];

const unchanged: Readonly<Record<string, Reader<void>>> = {
  ...Object.fromEntries(Object.entries(defaults).map(([key, value]) => [key, only(undefined, null, value)])),
  ...Object.fromEntries(without.map((key) => [key, only(undefined, null)])),
};

/**
 * @param model the language model's `config.json`
 * @param generation its `generation_config.json`; undefined where there is none
 * @param vocabulary tokens that there are
 * @throws OpenFlamingoError `model-invalid` for an id that is no token's; `model-unsupported` for a setting that the
 *   arguments of a call should make
 */
export function generationConfiguration(
  model: { readonly file: string; readonly json: unknown },
  generation: { readonly file: string; readonly json: unknown },
  vocabulary: number,
): GenerationConfiguration {
  const { file, json } = generation.json === undefined ? model : generation;
  const end = integer(-1, vocabulary - 1);
  const ends: Reader<number | readonly number[]> = (value, at, report) =>
    Array.isArray(value) ? listOf(end)(value, at, report) : end(value, at, report);
  const ids = object(
    {
      ...unchanged,
      eos_token_id: optional(nullable(ends)),
      pad_token_id: optional(nullable(integer(0, vocabulary - 1))),
    },
    { ignored: () => true },
  );
  const { eos_token_id: eos, pad_token_id: pad } = readConfiguration(file, json ?? {}, ids);
  const { use_cache: useCache } = readConfiguration(
    model.file,
    model.json ?? {},
    object({ use_cache: optional(boolean, true) }, { ignored: () => true }),
  );
  // The reference's GPT-NeoX keeps keys and values whatever its configuration says.
  const isNeox = isObject(model.json) && model.json.model_type === "gpt_neox";
  return { eosTokenId: eos ?? undefined, padTokenId: pad ?? undefined, useCache: isNeox || useCache };
}
