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

/** The greatest logit. @throws OpenFlamingoError as `argmax` */
export const greatestOf = (logits: Float32Array): number => logits[argmax(logits)]!;

/**
 * The k-th of the logits from the greatest down, equal ones counted each. Hoare's selection: the part that holds it is
 * halved, more or less, until it is alone; the whole is never sorted.
 */
export function kthGreatest(logits: Float32Array, k: number): number {
  const values = logits.slice();
  const wanted = values.length - k; // its place in ascending order
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1]!;
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      [values[i], values[j]] = [values[j]!, values[i]!];
      i++;
      j--;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else break;
  }
  return values[wanted]!;
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
  const greatest = greatestOf(logits);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - greatest);
  return greatest + Math.log(sum);
}

/** softmax(logits) */
export function probabilities(logits: Float32Array): Float64Array {
  const whole = logSumOfExponentials(logits);
  const result = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) result[i] = Math.exp(logits[i]! - whole);
  return result;
}
