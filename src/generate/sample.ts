/**
 * Sampling: each token is drawn by its probability.
 *
 * Reference: transformers 4.33.3, `sample`; the draws are our own, so that a seed means the same everywhere.
 */
import { count, optional } from "../base/fields.js";
import { randomStream } from "../base/random.js";
import type { RowDecoder } from "../runner/decoder.js";
import { probabilities } from "./logits.js";
import { type GenerationLimits, generateRows } from "./rows.js";
import { createWarper, type Warping, warpingReaders } from "./warpers.js";

export interface SampleSettings extends Warping {
  /** An integer from 0 on; the same one gives the same tokens. */
  readonly seed: number;
}

/** What each of these settings may be, for those who read them. */
export const samplingReaders = { ...warpingReaders, seed: optional(count(0)) };

/**
 * As `generateRows`; log-probabilities are those after temperature and left-out tokens.
 *
 * @param limits with settings that `samplingReaders` let through
 */
export function sample(decoder: RowDecoder, limits: GenerationLimits & SampleSettings) {
  const warp = createWarper(limits);
  const random = randomStream(limits.seed, "sample");
  return generateRows(decoder, limits, ({ row, step, logits }) => {
    warp(logits);
    return draw(probabilities(logits), random.uniform(step, row));
  });
}

/**
 * @param p probabilities that add up to almost 1
 * @param uniform a number from 0 to below 1
 * @returns the first token up to which the probabilities add up to more than `uniform`
 */
export function draw(p: Float64Array, uniform: number): number {
  let sum = 0;
  let last = 0;
  for (let token = 0; token < p.length; token++) {
    if (p[token] === 0) continue;
    sum += p[token]!;
    if (sum > uniform) return token;
    last = token;
  }
  return last; // rounding has left the sum a little below 1
}
