/**
 * Generation token by token: one for each row of a batch at each step. How a token is chosen is an argument.
 *
 * Reference: transformers 4.33.3, `greedy_search` and `sample`.
 */
import type { Decoder } from "../runner/decoder.js";
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
  decoder: Decoder,
  limits: GenerationLimits,
  choose: Choice,
): AsyncGenerator<readonly (GeneratedToken | undefined)[], void> {
  const { maxNewTokens, endTokens, logProbs = false, signal } = limits;
  const process = createProcessor(limits, limits);
  if (maxNewTokens === 0) return;
  const texts = (limits.before ?? decoder.prompts.map(({ ids }) => ids)).map((ids) => [...ids]);
  // A row that has ended goes through the remaining steps with its last token: what it says is not looked at.
  const ended = texts.map(() => false);
  let logits = await decoder.prefill({ signal });
  for (let step = 0; ; step++) {
    const tokens = logits.map((row, i): GeneratedToken | undefined => {
      if (ended[i]) return undefined;
      const state = { row: i, step, ids: texts[i]!, logits: row };
      process(state);
      const id = choose(state);
      limits.onScores?.(state);
      const finished = endTokens.includes(id) ? "end" : step + 1 === maxNewTokens ? "length" : undefined;
      ended[i] = finished !== undefined;
      texts[i]!.push(id);
      return { id, ...(logProbs && { logProb: logProbability(row, id) }), ...(finished && { finished }) };
    });
    yield tokens;
    if (ended.every(Boolean)) return;
    signal?.throwIfAborted();
    const last = texts.map((ids) => ids.at(-1)!);
    logits = await decoder.step(last, { signal });
  }
}
