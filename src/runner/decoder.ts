/**
 * Decoding of a batch of prompts: reads each prompt once, then adds a token to every row at each step.
 *
 * Prompts of unequal length are read one by one, each into its row of the cache, and in pieces, so that a long one can
 * be stopped and needs little memory; the steps are taken together. Inside, rows have no padding at the left: the
 * positions of each count from 0.
 */
import { type HostTensor, zeros } from "../runtime/hostTensor.js";
import { type Call, type DecodeProgram, readPrompt, runDecode } from "./call.js";
import {
  createEncodedImages,
  type EncodedImage,
  type EncodedImages,
  filledImages,
  type Prompt,
} from "./encodedImages.js";
import { countImageTokens, imageIndexAfter, imageIndexOf } from "./imageIndex.js";
import { type BoundCache, createKvCache, type KvCache } from "./kvCache.js";
import { requireCapacity, requireImages, requirePrompts, requireRoom } from "./promptChecks.js";

/** Rows that grow by a token each at a time. */
export interface RowDecoder {
  /** What is continued, a row each. */
  readonly prompts: readonly Prompt[];
  /** Logits of each row's next token, (rows, V), to be changed at will; the memory is written again by the next call. */
  prefill(options?: { signal?: AbortSignal | undefined }): Promise<readonly Float32Array[]>;
  /**
   * Adds one token to each row; then as `prefill`. Undefined for a row that is no longer wanted, from then on: its
   * logits mean nothing, or are left out.
   */
  step(
    tokens: readonly (number | undefined)[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly (Float32Array | undefined)[]>;
  /** Gives the caches' handles back. */
  close(): void;
}

export interface Decoder extends RowDecoder {
  step(
    tokens: readonly (number | undefined)[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly Float32Array[]>;
  /**
   * Reads the prompts, or further tokens of each row, and gives the logits after every one of them, (tokens, V) each.
   * In place of `prefill` and `step`: the two ways do not go together.
   */
  logits(options?: ReadOptions): Promise<readonly Float32Array[]>;
}

export interface ReadOptions {
  /** What to read, a row each; the prompts when left out. */
  readonly texts?: readonly TokenSpan[] | undefined;
  /** After how many tokens of each row; those behind are forgotten. 0 when left out. */
  readonly from?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Some tokens of a row. */
export interface TokenSpan {
  readonly ids: readonly number[];
  /** How many `<image>`s count as read before the first of them; 0 when left out. */
  readonly imagesBefore?: number | undefined;
}

/**
 * What becomes of image indices when a row writes an `<image>` itself. "add": as if it had been in the prompt.
 * "restart": it is taken for the row's first one, and for all other rows no one has been; as the reference
 * implementation does where it keeps keys and values.
 */
export type WrittenImages = "add" | "restart";

export interface DecoderOptions {
  /** How many tokens each row may grow by. */
  readonly capacity: number;
  /** "add" when left out. */
  readonly writtenImages?: WrittenImages | undefined;
}

/** What a decoder keeps between its calls. */
interface Batch {
  readonly program: DecodeProgram;
  readonly prompts: readonly Prompt[];
  readonly writtenImages: WrittenImages;
  readonly encodedImages: EncodedImages;
  readonly cache: KvCache;
  /** Tokens of each row in the cache. */
  readonly lengths: number[];
  /** `<image>`s of each row so far. */
  readonly imageTokens: number[];
  /** Logits of each row's next token, (rows, V). */
  readonly next: HostTensor<"float32">;
}

/**
 * @param options.zeroImage as for `filledImages`
 * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `memory`, `usage` for an empty prompt
 */
export async function createDecoder({
  prompts,
  capacity,
  writtenImages = "add",
  zeroImage,
  ...program
}: DecodeProgram &
  DecoderOptions & {
    readonly prompts: readonly Prompt[];
    readonly zeroImage: () => Promise<EncodedImage>;
  }): Promise<Decoder> {
  const { runtime, config, imageToken, cacheFormat } = program;
  const { language } = config;
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  requirePrompts(prompts, imageToken);
  requireCapacity(language, longest, capacity);
  requireRoom(program, prompts.length, longest + capacity);

  const images = await filledImages(prompts, zeroImage);
  const batch: Batch = {
    program,
    prompts,
    writtenImages,
    // The cache, which may find no room, before anything is bound.
    cache: createKvCache(runtime, language, prompts.length, longest + capacity, cacheFormat),
    encodedImages: createEncodedImages(runtime, config, images),
    lengths: prompts.map(() => 0),
    imageTokens: prompts.map(({ ids }) => countImageTokens(ids, imageToken)),
    next: zeros("float32", [prompts.length, language.vocabulary]),
  };
  return {
    prompts,
    prefill: ({ signal } = {}) => prefill(batch, signal),
    step: (tokens, { signal } = {}) => step(batch, tokens, signal),
    logits: (options = {}) => logitsOf(batch, options),
    close() {
      batch.cache.all.release();
      batch.encodedImages.release();
    },
  };
}

async function prefill(batch: Batch, signal: AbortSignal | undefined): Promise<readonly Float32Array[]> {
  const rows = rowsOf(batch.next);
  for (const [row, prompt] of batch.prompts.entries()) {
    const logits = { ...batch.next, shape: [1, batch.next.shape[1]!], data: rows[row]! };
    const last = (from: number, to: number) => ({ wanted: Int32Array.of(to - from - 1), logits });
    await read(batch, { row, text: prompt, from: 0, logitsOf: last, signal });
  }
  return rows;
}

async function step(
  batch: Batch,
  tokens: readonly (number | undefined)[],
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  const { program, writtenImages, encodedImages, cache, lengths, imageTokens, next } = batch;
  const { imageToken } = program;
  const restarts = writtenImages === "restart" && tokens.includes(imageToken);
  for (const [row, token] of tokens.entries()) {
    imageTokens[row] = (restarts ? 0 : imageTokens[row]!) + (token === imageToken ? 1 : 0);
  }
  const last = imageTokens.map((count) => imageIndexAfter(count, encodedImages.perPrompt));
  const call = {
    // A row that is no longer wanted goes on with any token: nobody looks at it.
    ids: Int32Array.from(tokens, (token) => token ?? 0),
    ...encodedImages.seenByNext(last),
    start: Int32Array.from(lengths),
    wanted: Int32Array.from(tokens.keys()),
    logits: next,
  };
  await run(batch, cache.all, call, signal);
  for (let row = 0; row < lengths.length; row++) lengths[row]!++;
  return rowsOf(next);
}

async function logitsOf(
  batch: Batch,
  { texts = batch.prompts, from, signal }: ReadOptions,
): Promise<readonly Float32Array[]> {
  const { prompts, program, next } = batch;
  const V = next.shape[1]!;
  requireImages(texts, prompts, program.imageToken);
  const all: Float32Array[] = [];
  for (const [row, text] of texts.entries()) {
    const data = new Float32Array(text.ids.length * V);
    const every = (first: number, end: number): Pick<Call, "wanted" | "logits"> => ({
      wanted: Int32Array.from({ length: end - first }, (_, i) => i),
      logits: { dtype: "float32", shape: [end - first, V], data: data.subarray(first * V, end * V) },
    });
    await read(batch, { row, text, from: from?.[row] ?? 0, logitsOf: every, signal });
    all.push(data);
  }
  return all;
}

interface RowReading {
  readonly row: number;
  readonly text: TokenSpan;
  /** The cache position of the text's first token. */
  readonly from: number;
  /** Where the logits of a piece go, and of which of its rows. */
  readonly logitsOf: (from: number, to: number) => Pick<Call, "wanted" | "logits">;
  readonly signal: AbortSignal | undefined;
}

/** Reads tokens of one row, piece by piece. */
async function read(batch: Batch, { row, text, from, logitsOf, signal }: RowReading): Promise<void> {
  const { program, prompts, encodedImages, cache, lengths } = batch;
  const { ids, imagesBefore } = text;
  const bound = prompts.length === 1 ? cache.all : cache.row(row);
  try {
    const rowText = {
      ids,
      imageIndices: imageIndexOf(ids, program.imageToken, encodedImages.perPrompt, imagesBefore),
      imageIds: encodedImages.imageIdsOf(row),
      start: from,
    };
    await readPrompt((call) => run(batch, bound, call, signal), rowText, logitsOf, {
      ...{ pieceLength: program.pieceLength, signal },
    });
    lengths[row] = from + ids.length;
  } finally {
    if (bound !== cache.all) bound.release();
  }
}

const run = (
  { program, encodedImages }: Batch,
  bound: BoundCache,
  call: Call,
  signal: AbortSignal | undefined,
): Promise<void> =>
  runDecode(program, { ...encodedImages.feeds, ...bound.feeds }, bound.outputs, call, signal);

/** The rows of (rows, V), in the same memory. */
function rowsOf({ shape, data }: HostTensor<"float32">): readonly Float32Array[] {
  const [rows, V] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => data.subarray(row * V, (row + 1) * V));
}
