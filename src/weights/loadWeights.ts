/**
 * Brings the weights of the programs from the checkpoints into memory: each tensor is read once, as float32, checked
 * for numbers that are not finite. The backend computes in this memory.
 */

import { asyncDispose } from "../base/dispose.js";
import { elementCount } from "../base/dtypes.js";
import { bug, OpenFlamingoError } from "../base/errors.js";
import { roundToHalf } from "../base/float16.js";
import { mapInOrder } from "../base/mapInOrder.js";
import { randomStream } from "../base/random.js";
import type { Checkpoint } from "../checkpoints/checkpoint.js";
import { type Match, matchTensors, type NamedCheckpoint, type Wanted } from "../checkpoints/match.js";
import { isInRows, type WeightPart } from "../graph/index.js";
import type { LanguageModel } from "../models/language.js";
import type { WeightUse } from "../onnx/compile.js";
import type { HostTensor } from "../runtime/hostTensor.js";
import type { Weight } from "../runtime/runtime.js";
import { visionName } from "./clipNames.js";
import type { KernelPool } from "./kernelPool.js";
import { type Blocks, quantizeMatrix } from "./quantize.js";
import { quantizeRows, type Rows } from "./quantizeRows.js";
import type { IsHalf } from "./weightFormats.js";
import { type Allocate, allocate, sharedMemory } from "./weightMemory.js";

/**
 * Where the weights of a Flamingo come from: its three files, or folders of files; a model in memory and a file; a
 * prepared folder.
 */
export type ModelCheckpoints = CheckpointFiles | LoadedAndFile | PreparedFile;

export interface CheckpointFiles {
  /** open_clip's, with names such as `visual.conv1.weight`. */
  readonly vision: Checkpoint;
  /** Hugging Face's. */
  readonly language: Checkpoint;
  /** The trained part: resampler, gated blocks, embedding. It may be in the form of a training run. */
  readonly flamingo: Checkpoint;
  readonly loaded?: undefined;
}

export interface LoadedAndFile {
  /** All weights of a model, by its programs' names; those that the file does not hold stay in their memory. */
  readonly loaded: ReadonlyMap<string, Weight>;
  readonly flamingo: Checkpoint;
}

/** What was prepared, with the names of the programs, where it is not mapped. */
export interface PreparedFile {
  readonly prepared: Checkpoint;
  readonly loaded?: undefined;
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
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, Weight>> {
  const found = findWeights(uses, checkpoints, language);
  if (!checkpoints.loaded) return readWeights(uses, found, options);
  const { loaded, flamingo } = checkpoints;
  const inFile = new Map([...found].filter(([, { checkpoint }]) => checkpoint === flamingo));
  return new Map([...loaded, ...(await readWeights(uses, inFile, options))]);
}

/** Reads all of them, each as its uses want it. */
export async function readWeights(
  uses: readonly WeightUse[],
  found: ReadonlyMap<string, FoundWeight>,
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, HostTensor>> {
  const weights = new Map<string, HostTensor>();
  const kept = sharedMemory([...found.values()].reduce((sum, each) => sum + lengthOf(each), 0));
  for await (const { made } of eachTensor(uses, found, { ...options, kept })) {
    for (const [{ name }, weight] of made) weights.set(name, weight);
  }
  return weights;
}

/** How much an error of each column of a matrix (n, k) counts, (k), by the matrix's name. */
export type Importance = ReadonlyMap<string, Float32Array>;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: LoadProgress | undefined;
  /** Where large matrices are brought into blocks; on this thread when left out. */
  readonly pool?: KernelPool | undefined;
  /** Of what is brought into blocks of 4 bits; all the same when left out. */
  readonly importance?: Importance | undefined;
  /** Which tensors are rounded to float16; none when left out. */
  readonly isHalf?: IsHalf;
  /** Memory for tensors that are used as they are; a buffer for each when left out. */
  readonly kept?: Allocate | undefined;
}

/** A tensor of the checkpoints, and its uses with the numbers as each wants them. */
export interface ReadTensor {
  readonly tensor: string;
  readonly values: Float32Array;
  readonly made: readonly (readonly [WeightUse, HostTensor])[];
}

/** Reads one tensor after the other, for whoever does not want all of them in memory; the next one while it waits. */
export async function* eachTensor(
  uses: readonly WeightUse[],
  found: ReadonlyMap<string, FoundWeight>,
  { signal, onProgress, pool, importance, isHalf, kept = allocate }: ReadOptions = {},
): AsyncGenerator<ReadTensor> {
  const total = [...found.values()].reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  let done = 0;
  const read = async ([tensor, weight]: readonly [string, FoundWeight]): Promise<ReadTensor> => {
    const { checkpoint, name, info, shape } = weight;
    const mine = uses.filter((use) => use.tensor === tensor);
    const memory = mine.every(({ part }) => part) ? allocate : kept;
    const whole = memory(tensor, lengthOf(weight));
    const [given, needed] = [elementCount(info.shape), elementCount(shape)];
    const finite = await checkpoint.read(name, whole.subarray(0, given), { signal });
    if (given < needed) initRows(tensor, whole.subarray(given));
    const values = whole.subarray(0, needed); // the first rows
    if (!finite) requireFinite(checkpoint, name, values);
    if (isHalf?.(tensor)) requireHalves(checkpoint, name, values);
    const how = {
      pool: needed < fewNumbers ? undefined : pool,
      importance: importance?.get(tensor),
    };
    return { tensor, values, made: await inFormats(values, shape, mine, how) };
  };
  for await (const each of mapInOrder(found, 2, read)) {
    signal?.throwIfAborted();
    yield each;
    done += each.values.byteLength;
    onProgress?.(done, total);
  }
}

/** Float32s of a tensor in the file or in the model, whichever are more. */
const lengthOf = ({ info, shape }: FoundWeight): number =>
  Math.max(elementCount(info.shape), elementCount(shape));

/** A matrix of fewer is in blocks in the time that starting a thread takes: 6 ms. */
const fewNumbers = 2 ** 20;

/** A tensor's numbers as its uses want them, each format made once. */
async function inFormats(
  values: Float32Array,
  shape: readonly number[],
  uses: readonly WeightUse[],
  how: Parameters<typeof quantizeMatrix>[3],
): Promise<ReadTensor["made"]> {
  const matrix = shape as [number, number];
  const made = new Map<string, Blocks | Rows>();
  for (const { part } of uses) {
    if (!part || made.has(keyOf(part))) continue;
    const parts = isInRows(part)
      ? quantizeRows(values, matrix)
      : await quantizeMatrix(values, matrix, part, { ...how, span: part.span });
    made.set(keyOf(part), parts);
  }
  return uses.map((use) => {
    const { dtype, shape, part } = use;
    const data = part ? made.get(keyOf(part))![part.part] : values;
    return [use, { dtype, shape, data } as HostTensor];
  });
}

const keyOf = ({ bits, block, span }: WeightPart): string => `${bits} ${block} ${span}`;

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
  if ("prepared" in checkpoints) return findPreparedWeights(uses, checkpoints.prepared);
  const wanted = new Map<string, Wanted>();
  for (const { tensor, from } of uses) wanted.set(tensor, { shape: from });
  // The language model's own file may have more rows than the tokenizer needs, which are cut, or fewer.
  for (const name of [language.embedding, language.outputEmbedding]) {
    const embedding = wanted.get(`lang_encoder.${name}`);
    if (embedding) wanted.set(`lang_encoder.${name}`, { ...embedding, rows: "any" });
  }
  const found = new Map<string, FoundWeight>();
  for (const [tensor, match] of matchTensors(wanted, namedAs(checkpoints, uses))) {
    const { shape } = wanted.get(tensor)!;
    requireNear(match, shape);
    found.set(tensor, { ...match, shape });
  }
  return found;
}

/**
 * The same in a prepared folder, each of which is there.
 *
 * @param nameOf what the folder calls a weight
 */
export const findPreparedWeights = (
  uses: readonly WeightUse[],
  prepared: Checkpoint,
  nameOf = (name: string) => name,
): ReadonlyMap<string, FoundWeight> =>
  new Map(
    uses.map(({ name, tensor, from }) => {
      const info = prepared.tensors.get(nameOf(name))!;
      return [tensor, { checkpoint: prepared, name: nameOf(name), info, shape: from }];
    }),
  );

/**
 * The checkpoints with the names that a live model of the reference implementation gives to their tensors; later ones
 * win.
 */
function namedAs(
  from: CheckpointFiles | LoadedAndFile,
  uses: readonly WeightUse[],
): readonly NamedCheckpoint[] {
  if (from.loaded) return [{ checkpoint: inMemory(uses) }, { checkpoint: from.flamingo }];
  return [
    { checkpoint: from.vision, rename: visionName },
    { checkpoint: from.language, rename: (name) => `lang_encoder.${name}`, anyRows: true },
    { checkpoint: from.flamingo },
  ];
}

/** All the weights of the programs, as if a file held them. */
const inMemory = (uses: readonly WeightUse[]): Checkpoint => ({
  name: "the loaded model",
  tensors: new Map(uses.map(({ tensor, from }) => [tensor, { dtype: "float32", shape: from }])),
  read: () => Promise.reject(bug("internal", "a weight that is loaded was read again")),
  close: () => Promise.resolve(),
  [asyncDispose]: () => Promise.resolve(),
});

/** More new rows than any model adds mean that the tokenizer is another model's, and could ask for all memory. */
const mostNewRows = 1024;

function requireNear({ checkpoint, name, info }: Match, [needed = 0]: readonly number[]): void {
  const [given = 0] = info.shape;
  if (needed - given <= mostNewRows) return;
  throw new OpenFlamingoError(
    "checkpoint-mismatch",
    `${checkpoint.name}: ${name} has ${given} rows, and the tokenizer ${needed} tokens`,
    { hint: `At most ${mostNewRows} rows are added: is this the language model's own tokenizer?` },
  );
}

/**
 * New rows of an embedding that is shorter than the tokenizer, as the reference implementation's library begins them.
 */
function initRows(tensor: string, rows: Float32Array): void {
  const random = randomStream(0, tensor);
  for (let i = 0; i < rows.length; i++) rows[i] = 0.02 * random.normal(i);
}

/** Looks for the place: what is not finite may also be among rows that are cut. */
function requireFinite(checkpoint: Checkpoint, name: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new OpenFlamingoError(
    "weights-not-finite",
    `${checkpoint.name}: ${name} holds ${values[at]} at place ${at}`,
    {
      hint: "The file is damaged, or the training that wrote it went wrong: take another checkpoint.",
    },
  );
}

/** Rounds to float16. @throws OpenFlamingoError `usage` where a number is beyond it */
function requireHalves(checkpoint: Checkpoint, name: string, values: Float32Array): void {
  const at = roundToHalf(values);
  if (at === undefined) return;
  throw new OpenFlamingoError(
    "usage",
    `${checkpoint.name}: ${name} holds ${values[at]} at place ${at}: float16 ends at 65504`,
    {
      hint: "Keep this tensor in fp32 (keep), or take another format.",
      data: { options: ["weights", "keep"] },
    },
  );
}
