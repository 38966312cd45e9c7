/**
 * Brings the weights of the programs from the checkpoints into memory: each tensor is read once, as float32, checked
 * for numbers that are not finite. The engine computes in this memory.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { type Match, matchTensors, type NamedCheckpoint, type Wanted } from "../checkpoints/match.js";
import type { LanguageModel } from "../models/language.js";
import type { WeightUse } from "../onnx/compile.js";
import { elementsOf, type HostTensor } from "../runtime/hostTensor.js";

/** The three files, or folders of files, that a Flamingo comes in. */
export interface ModelCheckpoints {
  /** open_clip's, with names such as `visual.conv1.weight`. */
  readonly vision: Checkpoint;
  /** Hugging Face's. */
  readonly language: Checkpoint;
  /** The trained part: resampler, gated blocks, embedding. It may be in the form of a training run. */
  readonly flamingo: Checkpoint;
}

/** How far the loading is, in bytes of float32. */
export type LoadProgress = (done: number, total: number) => void;

/**
 * @returns the memory of each weight by the program's name for it
 * @throws OpenFlamingoError `checkpoint-mismatch` with every missing, unexpected and mis-shaped tensor;
 *   `weights-not-finite`; `memory`; and what reading a file can throw
 */
export async function loadWeights(
  uses: readonly WeightUse[],
  checkpoints: ModelCheckpoints,
  language: LanguageModel,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: LoadProgress | undefined } = {},
): Promise<ReadonlyMap<string, HostTensor>> {
  const found = findWeights(uses, checkpoints, language);
  const weights = new Map<string, HostTensor>();
  const total = [...found.values()].reduce((sum, { shape }) => sum + 4 * elementsOf(shape), 0);
  let done = 0;
  for (const [tensor, { checkpoint, name, info, shape }] of found) {
    const whole = memoryFor(tensor, elementsOf(info.shape));
    await checkpoint.read(name, whole, { signal });
    const values = whole.subarray(0, elementsOf(shape)); // the first rows
    requireFinite(checkpoint, name, values);
    for (const use of uses) {
      if (use.tensor !== tensor) continue;
      weights.set(use.name, { dtype: "float32", shape: use.shape, data: values });
    }
    done += values.byteLength;
    onProgress?.(done, total);
  }
  return weights;
}

/** Where a tensor of the model is, and the shape that the model wants. */
export interface FoundWeight extends Match {
  readonly shape: readonly number[];
}

/**
 * Where every tensor of the programs is.
 *
 * @throws OpenFlamingoError `checkpoint-mismatch` with every missing, unexpected and mis-shaped tensor
 */
export function findWeights(
  uses: readonly WeightUse[],
  checkpoints: ModelCheckpoints,
  language: LanguageModel,
): ReadonlyMap<string, FoundWeight> {
  const wanted = new Map<string, Wanted>();
  for (const { tensor, from } of uses) wanted.set(tensor, { shape: from });
  // The language model's own file may have more rows than the tokenizer needs, or fewer.
  for (const name of [language.embedding, language.outputEmbedding]) {
    const embedding = wanted.get(`lang_encoder.${name}`);
    if (embedding) wanted.set(`lang_encoder.${name}`, { ...embedding, rows: "any" });
  }
  const found = new Map<string, FoundWeight>();
  for (const [tensor, match] of matchTensors(wanted, namedAs(checkpoints))) {
    const { shape } = wanted.get(tensor)!;
    requireRows(match.checkpoint, match.name, match.info.shape, shape);
    found.set(tensor, { ...match, shape });
  }
  return found;
}

/** The checkpoints with the names that a live model of the original gives to their tensors; later ones win. */
function namedAs({ vision, language, flamingo }: ModelCheckpoints): readonly NamedCheckpoint[] {
  return [
    { checkpoint: vision, rename: visionName },
    { checkpoint: language, rename: (name) => `lang_encoder.${name}` },
    { checkpoint: flamingo },
  ];
}

/** Of CLIP, the vision encoder up to its last block is used. */
const unusedOfClip = [
  /^visual\.(ln_post\.|proj$)/, // what follows pooling
  /^(transformer|token_embedding|ln_final)\.|^(positional_embedding|text_projection|attn_mask)$/, // the text tower
  /^(logit_scale|input_resolution|context_length|vocab_size)$/, // the last three: in OpenAI's own files
];

function visionName(name: string): string | undefined {
  if (unusedOfClip.some((pattern) => pattern.test(name))) return undefined;
  return name.replace(/^visual\./, "vision_encoder.");
}

/** An embedding may be longer than the model's, whose tokens are its first rows; a shorter one lacks some. */
function requireRows(
  { name: file }: Checkpoint,
  name: string,
  given: readonly number[],
  wanted: readonly number[],
) {
  if (given[0]! >= wanted[0]!) return;
  throw new OpenFlamingoError(
    "checkpoint-mismatch",
    `${file}: ${name} has ${given[0]} rows, the tokenizer needs ${wanted[0]}`,
    {
      hint: "The Flamingo checkpoint of this model should hold the rows of the tokens that it adds.",
    },
  );
}

function memoryFor(tensor: string, elements: number): Float32Array {
  try {
    return new Float32Array(elements);
  } catch (cause) {
    throw new OpenFlamingoError("memory", `no room for ${tensor}: ${4 * elements} bytes`, {
      hint: "Close other programs, or use a smaller model.",
      cause,
    });
  }
}

function requireFinite(checkpoint: Checkpoint, name: string, values: Float32Array): void {
  // A sum is not finite if one of its terms is not; only then the place is looked for.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  if (sum === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  throw new OpenFlamingoError(
    "weights-not-finite",
    `${checkpoint.name}: ${name} holds ${values[at]} at place ${at}`,
    {
      hint: "The file is damaged, or the training that wrote it went wrong: take another checkpoint.",
    },
  );
}
