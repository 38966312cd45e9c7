/** Vectors brought to where all directions are alike, so that a linear map of them is quick to learn. */
import { eigen } from "./eigen.js";

export interface Whitening {
  /** (d, d): a vector times it has a mean square of about 1 in every direction. */
  readonly matrix: Float32Array;
  /** (d, d): the way back. */
  readonly inverse: Float32Array;
}

/**
 * @param x examples (n, d), row by row
 * @param ridge of the average mean square, which is added in all directions: what hardly varies is not blown up
 */
export function whitening(x: Float32Array, d: number, ridge = 0.1): Whitening {
  const squares = new Float64Array(d * d); // the mean of x xᵀ
  const n = x.length / d;
  for (let at = 0; at < x.length; at += d) {
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) squares[i * d + j]! += (x[at + i]! * x[at + j]!) / n;
    }
  }
  const { values, vectors } = eigen(squares, d);
  const least = (ridge * values.reduce((sum, value) => sum + value, 0)) / d;
  const [matrix, inverse] = [new Float32Array(d * d), new Float32Array(d * d)];
  for (let k = 0; k < d; k++) {
    const size = Math.sqrt(Math.max(values[k]!, 0) + least);
    for (let i = 0; i < d; i++) {
      matrix[k * d + i] = vectors[k * d + i]! / size;
      inverse[i * d + k] = vectors[k * d + i]! * size;
    }
  }
  return { matrix, inverse };
}

/** x (n, d), row by row → the same size: each of them times the matrix. */
export const whitened = (x: Float32Array, { matrix }: Whitening): Float32Array =>
  product(x, transposed(matrix), Math.sqrt(matrix.length));

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

function transposed(a: Float32Array): Float32Array {
  const d = Math.sqrt(a.length);
  return a.map((_, i) => a[(i % d) * d + Math.floor(i / d)]!);
}
