/**
 * Decoding of a batch of prompts: reads each prompt once, then adds a token to every row at each step.
 *
 * Prompts of unequal length are read one by one, each into its row of the cache, and in pieces, so that a long one can
 * be stopped and needs little memory; the steps are taken together. Inside, rows have no padding at the left: the
 * positions of each count from 0.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import type { LanguageModel } from "../models/language.js";
import { zeros } from "../runtime/hostTensor.js";
import type { Runtime, Session } from "../runtime/runtime.js";
import { type Call, readPrompt, runDecode } from "./call.js";
import { createEncodedImages, type EncodedImage, type Prompt } from "./encodedImages.js";
import { imageIndexAfter, imageIndexOf } from "./imageIndex.js";
import { type BoundCache, createKvCache } from "./kvCache.js";

export interface Decoder {
  /** What is continued, a row each. */
  readonly prompts: readonly Prompt[];
  /** Logits of each row's next token, (rows, V). The memory is written again by the next call. */
  prefill(options?: { signal?: AbortSignal | undefined }): Promise<readonly Float32Array[]>;
  /** Adds one token to each row; then as `prefill`. */
  step(
    tokens: readonly number[],
    options?: { signal?: AbortSignal | undefined },
  ): Promise<readonly Float32Array[]>;
  /**
   * Reads the prompts, or further tokens of each row, and gives the logits after every one of them, (tokens, V) each.
   * In place of `prefill` and `step`: the two ways do not go together.
   */
  logits(options?: ReadOptions): Promise<readonly Float32Array[]>;
  /** Gives the caches' handles back. */
  close(): void;
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

export interface DecoderOptions {
  /** How many tokens each row may grow by. */
  readonly capacity: number;
  /**
   * What becomes of image indices when a row writes an `<image>` itself. "add" (when left out): as if it had been in
   * the prompt. "restart": it is taken for the row's first one, and for all other rows no one has been; as the
   * reference implementation does where it keeps keys and values.
   */
  readonly writtenImages?: "add" | "restart" | undefined;
}

/**
 * @param zeroImage as for `createEncodedImages`
 * @throws OpenFlamingoError `prompt-too-long`, `image-count`, `usage` for an empty prompt
 */
export async function createDecoder(
  runtime: Runtime,
  session: Session,
  config: FlamingoConfig,
  imageToken: number,
  prompts: readonly Prompt[],
  { capacity, writtenImages = "add", zeroImage }: DecoderOptions & { zeroImage: () => Promise<EncodedImage> },
): Promise<Decoder> {
  const { language } = config;
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  checkPrompts(prompts, imageToken);
  requireCapacity(language, longest, capacity);

  const encodedImages = await createEncodedImages(runtime, config, prompts, zeroImage);
  const cache = createKvCache(runtime, language, prompts.length, longest + capacity);
  let images = prompts.map(({ ids }) => ids.filter((id) => id === imageToken).length); // of each row so far
  const lengths = prompts.map(() => 0); // tokens of each row in the cache
  const V = language.vocabulary;
  const nextLogits = zeros("float32", [prompts.length, V]);
  const nextRows = prompts.map((_, row) => nextLogits.data.subarray(row * V, (row + 1) * V));

  const run = (bound: BoundCache, call: Call, signal: AbortSignal | undefined) =>
    runDecode(session, { ...encodedImages.feeds, ...bound.feeds }, bound.outputs, call, signal);

  /** Reads tokens of one row, piece by piece; `logitsOf` says where the logits of a piece go, and of which rows. */
  async function read(
    row: number,
    { ids, imagesBefore }: TokenSpan,
    from: number,
    signal: AbortSignal | undefined,
    logitsOf: (from: number, to: number) => Pick<Call, "wanted" | "logits">,
  ): Promise<void> {
    const bound = prompts.length === 1 ? cache.all : cache.row(row);
    try {
      const imageIndices = imageIndexOf(ids, imageToken, encodedImages.perPrompt, imagesBefore);
      const text = { ids, imageIndices, imageIds: encodedImages.imageIdsOf(row), start: from };
      await readPrompt((call) => run(bound, call, signal), text, logitsOf, signal);
      lengths[row] = from + ids.length;
    } finally {
      if (bound !== cache.all) bound.release();
    }
  }

  return {
    prompts,

    async prefill({ signal } = {}) {
      for (let row = 0; row < prompts.length; row++) {
        const last = { dtype: "float32" as const, shape: [1, V], data: nextRows[row]! };
        await read(row, prompts[row]!, 0, signal, (from, to) => ({
          wanted: Int32Array.of(to - from - 1),
          logits: last,
        }));
      }
      return nextRows;
    },

    async step(tokens, { signal } = {}) {
      if (tokens.includes(imageToken)) {
        const earlier = writtenImages === "add" ? images : images.map(() => 0);
        images = tokens.map((token, row) => earlier[row]! + (token === imageToken ? 1 : 0));
      }
      const last = images.map((count) => imageIndexAfter(count, encodedImages.perPrompt));
      await run(
        cache.all,
        {
          ids: Int32Array.from(tokens),
          ...encodedImages.seenByNext(last),
          start: Int32Array.from(lengths),
          wanted: Int32Array.from(tokens.keys()),
          logits: nextLogits,
        },
        signal,
      );
      for (let row = 0; row < lengths.length; row++) lengths[row]!++;
      return nextRows;
    },

    async logits({ texts = prompts, from, signal } = {}) {
      checkImages(texts, prompts, imageToken);
      const all: Float32Array[] = [];
      for (const [row, text] of texts.entries()) {
        const data = new Float32Array(text.ids.length * V);
        await read(row, text, from?.[row] ?? 0, signal, (first, end) => ({
          wanted: Int32Array.from({ length: end - first }, (_, i) => i),
          logits: { dtype: "float32", shape: [end - first, V], data: data.subarray(first * V, end * V) },
        }));
        all.push(data);
      }
      return all;
    },

    close() {
      cache.all.release();
      encodedImages.release();
    },
  };
}

/** @throws OpenFlamingoError `usage` for an empty prompt, `image-count` for an `<image>` without any image */
export function checkPrompts(prompts: readonly Prompt[], imageToken: number): void {
  for (const { ids } of prompts) {
    if (ids.length === 0)
      throw new OpenFlamingoError("usage", "the prompt is empty", { hint: "Give it some text." });
  }
  checkImages(prompts, prompts, imageToken);
}

function checkImages(texts: readonly TokenSpan[], prompts: readonly Prompt[], imageToken: number): void {
  texts.forEach(({ ids }, row) => {
    if (prompts[row]!.images.length > 0 || !ids.includes(imageToken)) return;
    throw new OpenFlamingoError("image-count", "the prompt has an <image> and no image", {
      hint: "Give one image for each <image>, in their order.",
    });
  });
}

/** @throws OpenFlamingoError `prompt-too-long` when the model has not so many positions */
export function requireCapacity({ contextLength }: LanguageModel, tokens: number, capacity: number): void {
  if (tokens + capacity <= contextLength) return;
  throw new OpenFlamingoError(
    "prompt-too-long",
    `the prompt has ${tokens} tokens and ${capacity} more may be generated: the model has ${contextLength} positions`,
    { hint: "Shorten the prompt, use fewer shots, or ask for fewer new tokens." },
  );
}
