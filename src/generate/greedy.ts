/**
 * Greedy generation: always the likeliest token.
 *
 * Original: transformers 4.33.3, `greedy_search`, with its processors for minimum length and banned tokens.
 */
import type { Decoder } from "../engine/decoder.js";
import { argmax, ban, logProbability } from "./logits.js";

export interface GenerationLimits {
  readonly maxNewTokens: number;
  /** Before so many tokens a row may not end; 0 when left out. */
  readonly minNewTokens?: number | undefined;
  /** Tokens that end a row; none: every row grows to its greatest length. */
  readonly endTokens: readonly number[];
  /** Tokens that are never generated. */
  readonly banned?: readonly number[] | undefined;
  /** Whether to give the log-probability of each token, after bans. */
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

/**
 * Generates for all rows of a decoder, a token for each at a time; undefined for a row that has ended. The decoder must
 * have room for `maxNewTokens`; it is left open.
 *
 * @throws OpenFlamingoError `logits-not-finite`, and what a decoder throws; `signal.reason` when stopped
 */
export async function* greedy(
  decoder: Decoder,
  { maxNewTokens, minNewTokens = 0, endTokens, banned = [], logProbs = false, signal }: GenerationLimits,
): AsyncGenerator<readonly (GeneratedToken | undefined)[], void> {
  if (maxNewTokens === 0) return;
  // A row that has ended goes through the remaining steps with its last token: what it says is not looked at.
  const last: number[] = Array.from({ length: decoder.rows }, () => 0);
  const ended = last.map(() => false);
  let logits = await decoder.prefill({ signal });
  for (let step = 1; ; step++) {
    const tokens = logits.map((row, i): GeneratedToken | undefined => {
      if (ended[i]) return undefined;
      ban(row, banned);
      if (step <= minNewTokens) ban(row, endTokens);
      const id = argmax(row);
      const finished = endTokens.includes(id) ? "end" : step === maxNewTokens ? "length" : undefined;
      ended[i] = finished !== undefined;
      last[i] = id;
      return { id, ...(logProbs && { logProb: logProbability(row, id) }), ...(finished && { finished }) };
    });
    yield tokens;
    if (ended.every(Boolean)) return;
    signal?.throwIfAborted();
    logits = await decoder.step(last, { signal });
  }
}
