/**
 * Vectors that are mostly the same, brought to where all directions of what is left vary alike, so that a linear map of
 * them is quick to learn.
 */
import { eigen } from "./eigen.js";

export interface Whitening {
  /** Most of the mean of the examples (d), which is taken away first. */
  readonly shift: Float32Array;
  /** The root mean square of what the examples have without their mean. */
  readonly deviation: number;
  /**
   * (d, d): of what is left, all rows but the last give about variance 1 in every direction and nothing of the mean; the
   * last gives how much of the mean there is: √d, which weighs as much as all others together, where it is all of it.
   */
  readonly matrix: Float32Array;
  /** (d, d): the way back to the vector. */
  readonly inverse: Float32Array;
}

/** Of the mean, so that it is about as much as what examples have beside it. */
const keptMean = 0.3;

/**
 * Of vectors of which at least one direction beside the mean's is without any variance, which the mean takes the place
 * of: behind a norm, all numbers of a vector add up to 0.
 *
 * @param x (n, d), row by row
 * @param ridge of the average variance, which directions are held to have at least: what hardly varies is not blown up
 */
export function whitening(x: Float32Array, d: number, ridge = 0.1): Whitening {
  const n = x.length / d;
  const mean = meanOfRows(x, d);
  const length = Math.hypot(...mean);
  const along = mean.map((value) => value / length);
  const covariance = new Float64Array(d * d);
  for (let at = 0; at < x.length; at += d) {
    const rest = x.slice(at, at + d);
    removeDirection(rest, along);
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) covariance[i * d + j]! += (rest[i]! * rest[j]!) / n;
  }
  const { values, vectors } = eigen(covariance, d);
  const variance = values.reduce((sum, value) => sum + value, 0) / d;
  const byVariance = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]!);
  const [matrix, inverse] = [new Float32Array(d * d), new Float32Array(d * d)];
  for (const [row, k] of byVariance.entries()) {
    const deviation = Math.sqrt(Math.max(values[k]!, 0) + ridge * variance);
    for (let i = 0; i < d; i++) {
      matrix[row * d + i] = vectors[k * d + i]! / deviation;
      inverse[i * d + row] = vectors[k * d + i]! * deviation;
    }
  }
  removeDirection(matrix, along);
  for (let i = 0; i < d; i++) {
    matrix[(d - 1) * d + i] = (Math.sqrt(d) * along[i]!) / (keptMean * length);
    inverse[i * d + d - 1] = mean[i]! / Math.sqrt(d);
  }
  const shift = mean.map((value) => (1 - keptMean) * value);
  return { shift, deviation: Math.sqrt(variance), matrix, inverse };
}

/** (n, d) → (d) */
export function meanOfRows(rows: Float32Array, d: number): Float32Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < rows.length; i++) mean[i % d]! += (rows[i]! * d) / rows.length;
  return Float32Array.from(mean);
}

/** What rows (n, d) have along a direction (d) of length 1 is taken out of them, in their memory. */
export function removeDirection(rows: Float32Array, direction: Float32Array): void {
  const d = direction.length;
  for (let at = 0; at < rows.length; at += d) {
    const row = rows.subarray(at, at + d);
    const along = row.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    for (let i = 0; i < d; i++) row[i]! -= along * direction[i]!;
  }
}

/** x (n, d), row by row → the same size: each without the shift, times the matrix. */
export function whitened(x: Float32Array, { shift, matrix }: Whitening): Float32Array {
  const d = shift.length;
  const result = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += d) {
    for (let row = 0; row < d; row++) {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += matrix[row * d + i]! * (x[at + i]! - shift[i]!);
      result[at + row] = sum;
    }
  }
  return result;
}

/** a (n, d) times b (d, d) → (n, d) */
export function product(a: Float32Array, b: Float32Array, d: number): Float32Array {
  const result = new Float32Array(a.length);
  for (let at = 0; at < a.length; at += d) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) result[at + j]! += a[at + i]! * b[i * d + j]!;
    }
  }
  return result;
}
