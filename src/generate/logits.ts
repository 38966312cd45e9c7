/** The arithmetic of one row of logits: bans, the best tokens, probabilities and their logarithms. */
import { OpenFlamingoError } from "../base/errors.js";

/** Makes tokens impossible. */
export function ban(logits: Float32Array, tokens: readonly number[]): void {
  for (const token of tokens) logits[token] = Number.NEGATIVE_INFINITY;
}

/**
 * The token with the greatest logit; of equal ones the first.
 *
 * @throws OpenFlamingoError `logits-not-finite` if one is not a number, or all are infinite
 */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let greatest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    const value = logits[i]!;
    // Written so that NaN passes: it is not at most anything.
    if (!(value <= greatest)) {
      greatest = value;
      best = i;
      if (Number.isNaN(value)) break;
    }
  }
  if (Number.isFinite(greatest)) return best;
  throw new OpenFlamingoError("logits-not-finite", `the model's logits hold ${greatest} (token ${best})`, {
    hint: "The weights may be damaged, or the numbers too small for them: try other weights or another backend.",
  });
}

/** log softmax(logits)[token] */
export function logProbability(logits: Float32Array, token: number): number {
  return logits[token]! - logSumOfExponentials(logits);
}

/** log softmax(logits) */
export function logProbabilities(logits: Float32Array): Float32Array {
  const whole = logSumOfExponentials(logits);
  const result = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i++) result[i] = logits[i]! - whole; // a third of the time that `map` takes
  return result;
}

/** log Σ exp(logits): what is taken from a logit to make it a log-probability. */
export function logSumOfExponentials(logits: Float32Array): number {
  const greatest = logits[argmax(logits)]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - greatest);
  return greatest + Math.log(sum);
}

/** softmax(logits) */
export function probabilities(logits: Float32Array): Float64Array {
  const whole = logSumOfExponentials(logits);
  return Float64Array.from(logits, (value) => Math.exp(value - whole));
}
