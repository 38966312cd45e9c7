/**
 * What sampling does with the logits of one row before a token is drawn: it sharpens or flattens them, and leaves out
 * tokens that are too improbable.
 *
 * Reference: transformers 4.46.3, `generation/logits_process.py`, in the order in which `generate` applies them.
 */
import { count, number, optional, valueThat } from "../base/fields.js";
import { greatestOf, kthGreatest, logSumOfExponentials } from "./logits.js";

export interface Warping {
  /** Logits are divided by it: below 1 probable tokens become more probable; 1 when left out. */
  readonly temperature?: number | undefined;
  /**
   * Only so many of the most probable tokens are kept, and those as probable as the last of them; all when left out.
   */
  readonly topK?: number | undefined;
  /** Only the most probable tokens are kept that together have this probability; 1, all, when left out. */
  readonly topP?: number | undefined;
  /** Only tokens are kept that have this share of the most probable one's probability; 0, all, when left out. */
  readonly minP?: number | undefined;
}

/**
 * Below 1e-6 a quotient of logits may be beyond float32, and long before that the most probable token is all that is
 * drawn.
 */
const [lowest, highest] = [1e-6, 1e6];

/** What each of these settings may be, for those who read them. */
export const warpingReaders = {
  temperature: optional(number(lowest, highest)),
  topK: optional(count(1)),
  topP: optional(number(0, 1, { above: true })),
  minP: optional(number(0, 1)),
};

/** A temperature where 0 means that nothing is drawn. */
export const temperatureOrZero = optional(
  valueThat<number>(
    (value) => value === 0 || (typeof value === "number" && value >= lowest && value <= highest),
    `a number from ${lowest} to ${highest}, or 0`,
  ),
);

/**
 * All that is asked for, as one function that changes a row of logits in place. The most probable token always stays.
 *
 * @param settings that `warpingReaders` let through
 */
export function createWarper(settings: Warping): (logits: Float32Array) => void {
  const { temperature = 1, topK = Number.POSITIVE_INFINITY, topP = 1, minP = 0 } = settings;
  return (logits) => {
    if (temperature !== 1) for (let i = 0; i < logits.length; i++) logits[i]! /= temperature;
    if (topK < logits.length) keepTopK(logits, topK);
    if (topP < 1) keepTopP(logits, topP);
    if (minP > 0) keepMinP(logits, minP);
  };
}

function keepTopK(logits: Float32Array, count: number): void {
  const smallest = kthGreatest(logits, count);
  for (let i = 0; i < logits.length; i++) if (logits[i]! < smallest) logits[i] = Number.NEGATIVE_INFINITY;
}

/**
 * Leaves out tokens from the least probable on, as long as those left out have at most 1 − `mass` together; of tokens
 * that are equally probable, those with the smaller ids first.
 */
function keepTopP(logits: Float32Array, mass: number): void {
  const whole = logSumOfExponentials(logits);
  const sorted = logits.toSorted(); // a sixth of the time that sorting tokens by their logits takes
  let first = 0; // that is kept
  for (let below = 0; first < sorted.length - 1; first++) {
    below += Math.exp(sorted[first]! - whole);
    if (below > 1 - mass) break;
  }
  const smallest = sorted[first]!;
  let equals = 0; // of those as probable as the first one, so many are kept
  while (sorted[first + equals] === smallest) equals++;
  for (let i = logits.length - 1; i >= 0; i--) {
    const isKept = logits[i]! > smallest || (logits[i] === smallest && equals-- > 0);
    if (!isKept) logits[i] = Number.NEGATIVE_INFINITY;
  }
}

function keepMinP(logits: Float32Array, minP: number): void {
  const whole = logSumOfExponentials(logits);
  const smallest = minP * Math.exp(greatestOf(logits) - whole);
  for (let i = 0; i < logits.length; i++) {
    if (Math.exp(logits[i]! - whole) < smallest) logits[i] = Number.NEGATIVE_INFINITY;
  }
}
