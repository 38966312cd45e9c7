/**
 * Sampling: each token is drawn by its probability.
 *
 * Reference: transformers 4.33.3, `sample`; the draws are our own, so that a seed means the same everywhere.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import type { Decoder } from "../runner/decoder.js";
import { probabilities } from "./logits.js";
import { type GenerationLimits, generateRows } from "./rows.js";
import { createWarper, type Warping } from "./warpers.js";

export interface SampleSettings extends Warping {
  /** A whole number from 0; the same one gives the same tokens. */
  readonly seed: number;
}

/**
 * As `generateRows`; log-probabilities are those after temperature and left-out tokens.
 *
 * @throws OpenFlamingoError also `usage` for settings that make no sense
 */
export function sample(decoder: Decoder, limits: GenerationLimits & SampleSettings) {
  if (!(Number.isSafeInteger(limits.seed) && limits.seed >= 0)) {
    throw new OpenFlamingoError("usage", `seed is ${limits.seed}: it must be a whole number, 0 or more`, {
      hint: "The same seed gives the same tokens.",
    });
  }
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
