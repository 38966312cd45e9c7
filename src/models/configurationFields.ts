/**
 * What the configurations of the towers and of the language models have in common. Every key of a file is obeyed,
 * harmless, or rejected with a specific error: a setting that is ignored would give other answers than the reference implementation.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { type Fault, faultList, integer, optional, type Reader, readFields } from "../base/fields.js";

// Limits that no released model of these kinds comes near (48 layers, width 7168), so that no number of a file makes
// the program slow: a model is written out block by block before its weights, whose shapes must fit, are looked for.
const mostLayers = 96;
const mostHeads = 1024;
const widestHead = 1024;
const largestWidth = 2 ** 16;
/** Exact in float32, and 32 times what any model of these kinds was trained for. */
const longestContext = 2 ** 20;
const mostParameters = 2 ** 37;

export const layersField = integer(1, mostLayers);
export const headsField = integer(1, mostHeads);
export const widthField = integer(1, largestWidth);
export const innerField = integer(1, 64 * largestWidth);
export const contextField = integer(1, longestContext);
export const vocabularyField = integer(1, 2 ** 24);
/** The feed-forward layer's width as a multiple of the block's. */
export const expansionField = integer(1, 64);

/** A setting that changes nothing here, whatever its value. */
export const harmless: Reader<void> = () => undefined;

/**
 * @param file its name, for errors
 * @throws OpenFlamingoError `model-unsupported` where the file only queryGate for what is not built, else
 *   `model-invalid`
 */
export const readConfiguration = <T>(file: string, json: unknown, reader: Reader<T>): T =>
  readFields(reader, json, (faults) => wrongConfiguration(file, faults));

export function wrongConfiguration(file: string, faults: readonly Fault[]): OpenFlamingoError {
  const message = `${file}: ${faultList(faults)}`;
  if (!faults.every(({ unsupported }) => unsupported)) return invalid(message);
  return new OpenFlamingoError("model-unsupported", message, {
    hint: "The model may need what this program does not have. A key that changes no answer can be taken out of the file.",
  });
}

const invalid = (message: string) =>
  new OpenFlamingoError("model-invalid", message, {
    hint: "Is this the configuration that belongs to the weights?",
  });

/** @throws OpenFlamingoError `model-invalid` unless the condition holds */
export function requireThat(holds: boolean, file: string, otherwise: string): void {
  if (!holds) throw invalid(`${file}: ${otherwise}`);
}

/** @throws OpenFlamingoError `model-invalid` where blocks of these sizes would not fit any memory */
export function requireSize(
  file: string,
  {
    layers,
    hiddenSize,
    inner,
  }: { readonly layers: number; readonly hiddenSize: number; readonly inner: number },
): void {
  const parameters = layers * hiddenSize * (4 * hiddenSize + 2 * inner);
  requireThat(
    parameters <= mostParameters,
    file,
    `${layers} layers of width ${hiddenSize} would have ${parameters} parameters; at most ${mostParameters} are read`,
  );
}

/**
 * The head dimension.
 *
 * @throws OpenFlamingoError `model-invalid` unless the heads share the width out among them
 */
export function headDimOf(
  file: string,
  [widthName, width]: readonly [name: string, value: number],
  [headsName, heads]: readonly [name: string, value: number],
): number {
  requireThat(width % heads === 0, file, `${widthName} ${width} is not a multiple of ${headsName} ${heads}`);
  requireThat(
    width / heads <= widestHead,
    file,
    `a head is ${width / heads} wide; at most ${widestHead} is read`,
  );
  return width / heads;
}

/** A key that is not known and null queryGate for nothing. */
export const isNull = (_: string, value: unknown): boolean => value === null;

/**
 * What transformers writes into every `config.json`, versions 4.20 to 5: notes on the file, how to train, and defaults
 * of generation, which this program takes elsewhere (docs/differences.md). Names that begin with `_` are notes too.
 */
const hubKeys = new Set(
  `architectures auto_map torch_dtype dtype transformers_version model_type name_or_path return_dict use_return_dict
  output_hidden_states output_attentions output_scores return_dict_in_generate torchscript use_bfloat16 tf_legacy_loss
  is_decoder tie_encoder_decoder cross_attention_hidden_size max_length min_length do_sample early_stopping num_beams
  num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty
  no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences forced_bos_token_id
  forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
  finetuning_task id2label label2id num_labels tokenizer_class tokenizer_name prefix bos_token_id pad_token_id
  eos_token_id sep_token_id decoder_start_token_id task_specific_params problem_type chunk_size_feed_forward use_cache
  initializer_range attn_implementation gradient_checkpointing init_device verbose`.split(/\s+/),
);

export const isHubKey = (key: string, value: unknown): boolean =>
  hubKeys.has(key) || key.startsWith("_") || isNull(key, value);

/** The language model's rows are those of its weights, so that this number is not needed; it must be one. */
export const vocabularySize = optional(vocabularyField);
