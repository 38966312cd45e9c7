/**
 * Generation token by token: one for each row of a batch at each step. How a token is chosen is an argument.
 *
 * Reference: transformers 4.33.3, `greedy_search` and `sample`.
 */
import type { RowDecoder } from "../runner/decoder.js";
import { logProbability } from "./logits.js";
import { createProcessor, type Processing, type RowState } from "./processors.js";

export interface GenerationLimits extends Processing {
  readonly maxNewTokens: number;
  /** Tokens that end a row; none: every row grows to its greatest length. */
  readonly endTokens: readonly number[];
  /** Tokens that are never generated. */
  readonly banned?: readonly number[] | undefined;
  /**
   * Ids that stand before each row's new tokens for processors; the prompts' own when left out. In a batch of the
   * reference implementation the padding belongs to them.
   */
  readonly before?: readonly (readonly number[])[] | undefined;
  /** Is shown the scores of each row at each step as they are chosen from, after processors and warpers. */
  readonly onScores?: ((state: RowState) => void) | undefined;
  /** Asked of each row before a step: whether enough of it is known. It is then no longer computed. */
  readonly isDone?: ((row: number) => boolean) | undefined;
  /** Whether to give the log-probability of each token, after processors. */
  readonly logProbs?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GeneratedToken {
  readonly id: number;
  /** Natural logarithm; only if asked for. */
  readonly logProb?: number;
  /** Present on the last token of a row: an end token, or no room for more. */
  readonly finished?: "end" | "length";
}

/** The next token of a row, given its processed logits, which may be changed. */
export type Choice = (state: RowState) => number;

/**
 * Generates for all rows of a decoder, a token for each at a time; undefined for a row that has ended. The decoder must
 * have room for `maxNewTokens`; it is left open.
 *
 * @throws OpenFlamingoError `usage`, `logits-not-finite`, and what a decoder throws; `signal.reason` when stopped
 */
export async function* generateRows(
  decoder: RowDecoder,
  limits: GenerationLimits,
  choose: Choice,
): AsyncGenerator<readonly (GeneratedToken | undefined)[], void> {
  const { maxNewTokens, endTokens, logProbs = false, signal } = limits;
  const process = createProcessor(limits, limits);
  if (maxNewTokens === 0) return;
  const texts = (limits.before ?? decoder.prompts.map(({ ids }) => ids)).map((ids) => [...ids]);
  const isDone = limits.isDone ?? (() => false);
  /** Undefined before a row's end, then its step. */
  const ends = texts.map((): number | undefined => undefined);
  let logits: readonly (Float32Array | undefined)[] = await decoder.prefill({ signal });
  for (let step = 0; ; step++) {
    const tokens = logits.map((row, i): GeneratedToken | undefined => {
      if (ends[i] !== undefined || row === undefined || isDone(i)) return undefined;
      const state = { row: i, step, ids: texts[i]!, logits: row };
      process(state);
      const id = choose(state);
      limits.onScores?.(state);
      const finished = endTokens.includes(id) ? "end" : step + 1 === maxNewTokens ? "length" : undefined;
      if (finished) ends[i] = step;
      texts[i]!.push(id);
      return { id, ...(logProbs && { logProb: logProbability(row, id) }), ...(finished && { finished }) };
    });
    yield tokens;
    if (ends.every((end, row) => end !== undefined || isDone(row))) return;
    signal?.throwIfAborted();
    // The token that ended a row is read too: it may be an `<image>`, which can count for the others.
    const next = texts.map((ids, row) =>
      (ends[row] ?? step) < step || isDone(row) ? undefined : ids.at(-1)!,
    );
    logits = await decoder.step(next, { signal });
  }
}
