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
import { type BoundCache, createKvCache } from "./kvCache.js";
import { placeAfter, placesOf } from "./places.js";
import { createPool, type EncodedPicture, type Prompt } from "./pool.js";

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
  /** Reads the prompts and gives the logits after every token of each row, (tokens, V) each, in place of `prefill`. */
  logits(options?: { signal?: AbortSignal | undefined }): Promise<readonly Float32Array[]>;
  /** Gives the caches' handles back. */
  close(): void;
}

export interface DecoderOptions {
  /** How many tokens each row may grow by. */
  readonly room: number;
  /**
   * What becomes of the places when a row writes an `<image>` itself. "add" (when left out): as if it had been in the
   * prompt. "restart": it is taken for the row's first one, and for all other rows no one has been; as the original does
   * where it keeps keys and values.
   */
  readonly writtenImages?: "add" | "restart" | undefined;
}

/**
 * @param zeroPicture as for `createPool`
 * @throws OpenFlamingoError `prompt-too-long`, `picture-count`, `usage` for an empty prompt
 */
export async function createDecoder(
  runtime: Runtime,
  session: Session,
  config: FlamingoConfig,
  imageToken: number,
  prompts: readonly Prompt[],
  {
    room,
    writtenImages = "add",
    zeroPicture,
  }: DecoderOptions & { zeroPicture: () => Promise<EncodedPicture> },
): Promise<Decoder> {
  const { language } = config;
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  checkPrompts(prompts, imageToken);
  requireRoom(language, longest, room);

  const pool = await createPool(runtime, config, prompts, zeroPicture);
  const cache = createKvCache(runtime, language, prompts.length, longest + room);
  const places = prompts.map(({ ids }) => placesOf(ids, imageToken, pool.perPrompt));
  let images = prompts.map(({ ids }) => ids.filter((id) => id === imageToken).length); // of each row so far
  const lengths = prompts.map(() => 0); // tokens of each row in the cache
  const V = language.vocabulary;
  const nextLogits = zeros("float32", [prompts.length, V]);
  const nextRows = prompts.map((_, row) => nextLogits.data.subarray(row * V, (row + 1) * V));

  const run = (bound: BoundCache, call: Call, signal: AbortSignal | undefined) =>
    runDecode(session, { ...pool.feeds, ...bound.feeds }, bound.outputs, call, signal);

  /** Reads the prompt of one row, piece by piece; `logitsOf` says where the logits of a piece go, and of which rows. */
  async function read(
    row: number,
    signal: AbortSignal | undefined,
    logitsOf: (from: number, to: number) => Pick<Call, "wanted" | "logits">,
  ): Promise<void> {
    const { ids } = prompts[row]!;
    const bound = prompts.length === 1 ? cache.all : cache.row(row);
    try {
      const prompt = { ids, places: places[row]!, slots: pool.slotsOf(row) };
      await readPrompt((call) => run(bound, call, signal), prompt, logitsOf, signal);
      lengths[row] = ids.length;
    } finally {
      if (bound !== cache.all) bound.release();
    }
  }

  return {
    prompts,

    async prefill({ signal } = {}) {
      for (let row = 0; row < prompts.length; row++) {
        const last = { dtype: "float32" as const, shape: [1, V], data: nextRows[row]! };
        await read(row, signal, (from, to) => ({ wanted: Int32Array.of(to - from - 1), logits: last }));
      }
      return nextRows;
    },

    async step(tokens, { signal } = {}) {
      if (tokens.includes(imageToken)) {
        const earlier = writtenImages === "add" ? images : images.map(() => 0);
        images = tokens.map((token, row) => earlier[row]! + (token === imageToken ? 1 : 0));
      }
      const last = images.map((count) => placeAfter(count, pool.perPrompt));
      await run(
        cache.all,
        {
          ids: Int32Array.from(tokens),
          ...pool.sightOfLast(last),
          start: Int32Array.from(lengths),
          wanted: Int32Array.from(tokens.keys()),
          logits: nextLogits,
        },
        signal,
      );
      for (let row = 0; row < lengths.length; row++) lengths[row]!++;
      return nextRows;
    },

    async logits({ signal } = {}) {
      const all: Float32Array[] = [];
      for (const [row, { ids }] of prompts.entries()) {
        const data = new Float32Array(ids.length * V);
        await read(row, signal, (from, to) => ({
          wanted: Int32Array.from({ length: to - from }, (_, i) => i),
          logits: { dtype: "float32", shape: [to - from, V], data: data.subarray(from * V, to * V) },
        }));
        all.push(data);
      }
      return all;
    },

    close() {
      cache.all.release();
      pool.release();
    },
  };
}

/** @throws OpenFlamingoError `usage` for an empty prompt, `picture-count` for an `<image>` without any picture */
export function checkPrompts(prompts: readonly Prompt[], imageToken: number): void {
  for (const { ids, pictures } of prompts) {
    if (ids.length === 0)
      throw new OpenFlamingoError("usage", "the prompt is empty", { hint: "Give it some text." });
    if (pictures.length === 0 && ids.includes(imageToken)) {
      throw new OpenFlamingoError("picture-count", "the prompt has an <image> and no picture");
    }
  }
}

/** @throws OpenFlamingoError `prompt-too-long` when the model has not so many positions */
export function requireRoom({ positions }: LanguageModel, tokens: number, room: number): void {
  if (tokens + room <= positions) return;
  throw new OpenFlamingoError(
    "prompt-too-long",
    `the prompt has ${tokens} tokens and ${room} more may be generated: the model has ${positions} positions`,
    { hint: "Shorten the prompt, use fewer shots, or ask for fewer new tokens." },
  );
}
