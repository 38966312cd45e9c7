/** A linear map that is found from examples. */
import { eigen } from "./eigen.js";

/**
 * Ridge regression without a constant: what y is on average where x is known, as far as a matrix can say it.
 *
 * @param x (n, d) row by row
 * @param y (n, w)
 * @param ridge how much more than the average of x·x the inverse is held back by: a small number, for directions that
 *   the examples hardly have
 * @returns (w, d)
 */
export function linearFit(
  x: Float32Array,
  y: Float32Array,
  { d, w, ridge = 0.01 }: { readonly d: number; readonly w: number; readonly ridge?: number },
): Float32Array {
  const n = x.length / d;
  const ofX = new Float64Array(d * d); // the sum of x xᵀ
  const ofBoth = new Float64Array(w * d); // the sum of y xᵀ
  for (let row = 0; row < n; row++) {
    const [xs, ys] = [x.subarray(row * d, (row + 1) * d), y.subarray(row * w, (row + 1) * w)];
    for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) ofX[i * d + j]! += xs[i]! * xs[j]!;
    for (let i = 0; i < w; i++) for (let j = 0; j < d; j++) ofBoth[i * d + j]! += ys[i]! * xs[j]!;
  }
  const { values, vectors } = eigen(ofX, d);
  const least = (ridge * values.reduce((sum, value) => sum + value, 0)) / d;
  const map = new Float32Array(w * d);
  for (let k = 0; k < d; k++) {
    const axis = vectors.subarray(k * d, (k + 1) * d);
    for (let i = 0; i < w; i++) {
      let along = 0;
      for (let j = 0; j < d; j++) along += ofBoth[i * d + j]! * axis[j]!;
      along /= values[k]! + least;
      for (let j = 0; j < d; j++) map[i * d + j]! += along * axis[j]!;
    }
  }
  return map;
}
