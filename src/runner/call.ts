/** One run of the decode graph, what a caller says of it and how that is fed; and the runs that read a prompt. */
import type { FlamingoConfig } from "../models/flamingo.js";
import type { WeightUse } from "../onnx/compile.js";
import { type HostTensor, zeros } from "../runtime/hostTensor.js";
import type { BoundTensor, Runtime } from "../runtime/runtime.js";
import type { CacheFormat } from "./cacheFormats.js";
import type { SessionOf } from "./decodeSessions.js";

/** A model's decode program, loaded. */
export interface DecodeProgram {
  readonly runtime: Runtime;
  readonly sessionOf: SessionOf;
  readonly config: FlamingoConfig;
  /** The id of `<image>`. */
  readonly imageToken: number;
  /** In which numbers its caches are; `fp32` when left out. */
  readonly cacheFormat?: CacheFormat | undefined;
  /** How many tokens of a prompt are read at once; 256 when left out. See `pieceLengthOf`. */
  readonly pieceLength?: number | undefined;
  /** How many bytes a call may still take; when left out, what the system gives. */
  readonly freeMemory?: (() => number) | undefined;
}

/** Sizes: b rows, t new tokens of each, s images of a row, w rows whose logits are wanted. */
export interface Call {
  readonly ids: Int32Array; // (b, t)
  /** Which of its row's images a token sees. */
  readonly imageIndex: Int32Array; // (b, t)
  /** Which of the encoded images each row may look at. */
  readonly imageIds: Int32Array; // (b, s)
  /** The cache position of each row's first new token. */
  readonly start: Int32Array; // (b)
  /** Rows of the flattened (b·t) tokens. */
  readonly wanted: Int32Array; // (w)
  /** Where their logits are written. */
  readonly logits: HostTensor; // (w, V)
  /** The position of every cached token, where it is not its cache position. */
  readonly position?: Float32Array; // (b, total)
  /** 0, or −1e30 for a cache position that a token may not see; what is ahead of a token is hidden without it. */
  readonly mask?: Float32Array; // (b, t, total)
}

/** Rows from which on the memory of a run is so much that it is given back: touching it anew is nothing beside them. */
const manyRows = 64;

/**
 * @param feeds encoded images and caches
 * @param outputs the caches, as they are afterwards
 */
export async function runDecode(
  { sessionOf }: Pick<DecodeProgram, "sessionOf">,
  feeds: Readonly<Record<string, BoundTensor>>,
  outputs: Readonly<Record<string, BoundTensor>>,
  { ids, imageIndex, imageIds, start, wanted, logits, position, mask }: Call,
  signal: AbortSignal | undefined,
): Promise<void> {
  const b = start.length;
  const t = ids.length / b;
  const total = Math.max(...start) + t;
  const session = await sessionOf(b * t);
  await session.run(
    {
      ...feeds,
      ids: int32([b, t], ids),
      imageIndex: int32([b, t], imageIndex),
      imageIds: int32([b, imageIds.length / b], imageIds),
      start: int32([b], start),
      wanted: int32([wanted.length], wanted),
      position: { dtype: "float32", shape: [b, total], data: position ?? countedUp(b, total) },
      // What is ahead of a token is hidden by the operator itself, and rows see only what is their own.
      mask: mask ? { dtype: "float32", shape: [b, t, total], data: mask } : zeros("float32", [b, t, total]),
    },
    { outputs: { ...outputs, logits }, want: [], signal, releaseWorkspace: b * t >= manyRows },
  );
}

/** Tokens of one row that are to be read, with what they see. */
export interface RowText {
  readonly ids: readonly number[];
  /** Of each token: see `imageIndexOf`. */
  readonly imageIndices: Int32Array;
  /** Which of the encoded images the row may look at. */
  readonly imageIds: Int32Array;
  /** The cache position of the first token. */
  readonly start: number;
}

/**
 * How many tokens of a prompt are read at once. Larger pieces need more memory, and with weights in blocks they are no
 * faster; with weights in float32, which kernels first bring into another order, 128 take an eighth longer. Measured:
 * decision 0015.
 *
 * @param weights of the decode program
 */
export const pieceLengthOf = (weights: readonly Pick<WeightUse, "part">[]): number =>
  weights.some(({ part }) => part) ? 128 : usualPieceLength;

const usualPieceLength = 256;

/**
 * Reads tokens of one row into the cache, from a cache position on, in pieces, so that a long prompt can be stopped and
 * needs little memory.
 *
 * @param run one run at batch 1
 * @param logitsOf which rows of the piece from one token to another are wanted, and where their logits are written
 */
export async function readPrompt(
  run: (call: Call) => Promise<void>,
  { ids, imageIndices, imageIds, start }: RowText,
  logitsOf: (from: number, to: number) => Pick<Call, "wanted" | "logits">,
  {
    pieceLength = usualPieceLength,
    signal,
  }: Pick<DecodeProgram, "pieceLength"> & { readonly signal: AbortSignal | undefined },
): Promise<void> {
  for (let from = 0; from < ids.length; from += pieceLength) {
    signal?.throwIfAborted();
    const to = Math.min(from + pieceLength, ids.length);
    await run({
      ids: Int32Array.from(ids.slice(from, to)),
      imageIndex: imageIndices.slice(from, to),
      imageIds,
      start: Int32Array.of(start + from),
      ...logitsOf(from, to),
    });
  }
}

/** 0, 1, 2, … up to `length`, for each of the rows. */
function countedUp(rows: number, length: number): Float32Array {
  const values = new Float32Array(rows * length);
  for (let i = 0; i < values.length; i++) values[i] = i % length;
  return values;
}

const int32 = (shape: readonly number[], data: Int32Array): HostTensor => ({ dtype: "int32", shape, data });
