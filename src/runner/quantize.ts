/**
 * From plain numbers to blocks of few bits: for each block the scale is searched that gives the smallest error.
 *
 * Symmetric, as `src/graph/ops/quantized.ts` reads it: x ≈ (q − middle) · scale with q from 0 to 2 · middle − 1. The
 * number with the largest magnitude of a block fixes the sign of its scale, so that it can take q = 0, which lies
 * further from the middle than the other end. Around the scale at which it does, others are tried; for the integers
 * that each gives, the best scale is that of least squares.
 */
import { type BlockFormat, partShapes } from "../graph/index.js";

export interface Blocks {
  readonly values: Uint8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
}

/**
 * Steps between the tried scales, and how many to either side: from 7.1 to 8.9 of 8. Steps of 0.1 lower the error of
 * Gaussian numbers by another thousandth of it, and take twice the time.
 */
const [step, tried] = [0.3, 3];

/**
 * @param matrix (n, k), row by row
 * @param importance (k): how much an error of each column counts; all the same when left out
 */
export function quantizeMatrix(
  matrix: Float32Array,
  [n, k]: readonly [number, number],
  format: BlockFormat,
  importance?: Float32Array,
): Blocks {
  const { bits, block } = format;
  const shapes = partShapes(format, [n, k]);
  const [, blocks, bytes] = shapes.values;
  const values = new Uint8Array(n * blocks * bytes);
  const scales = new Float32Array(n * blocks);
  const middle = 2 ** (bits - 1);
  const x = new Float64Array(block); // of one block; what the row does not fill stays 0
  const q = new Uint8Array(block);
  const weights = new Float64Array(block);
  for (let row = 0; row < n; row++) {
    for (let b = 0; b < blocks; b++) {
      const count = Math.min(block, k - b * block);
      if (count < block) x.fill(0);
      for (let i = 0; i < count; i++) {
        x[i] = matrix[row * k + b * block + i]!;
        weights[i] = importance?.[b * block + i] ?? 1;
      }
      const at = row * blocks + b;
      const scale = Math.fround(bits === 4 ? searchScale(x, weights, count) : plainScale(x, middle));
      scales[at] = scale;
      const inverse = scale === 0 ? 0 : 1 / scale;
      for (let i = 0; i < block; i++) q[i] = clamp(Math.round(x[i]! * inverse) + middle, 2 * middle - 1);
      if (bits === 8) values.set(q, at * bytes);
      else for (let i = 0; i < bytes; i++) values[at * bytes + i] = q[2 * i]! | (q[2 * i + 1]! << 4);
    }
  }
  return { values, scales };
}

const clamp = (value: number, most: number): number => Math.max(0, Math.min(value, most));

/** The number of the largest magnitude, with its sign. */
function extreme(x: Float64Array): number {
  let [largest, found] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const magnitude = Math.abs(x[i]!);
    if (magnitude > largest) [largest, found] = [magnitude, x[i]!];
  }
  return found;
}

/** The extreme number becomes 0, or as near to it as its rounding allows: with 8 bits, a search gains nothing. */
const plainScale = (x: Float64Array, middle: number): number => extreme(x) / -middle + 0; // never −0

/** The scale for 4 bits with the smallest weighted error Σ w (x − l · scale)², l from −8 to 7. */
function searchScale(x: Float64Array, weights: Float64Array, count: number): number {
  const largest = extreme(x);
  if (largest === 0) return 0;
  let [best, gain] = [0, -1];
  for (let t = -tried; t <= tried; t++) {
    const inverse = -(8 + step * t) / largest;
    let [products, squares] = [0, 0];
    for (let i = 0; i < count; i++) {
      let l = (x[i]! * inverse + 8.5) | 0; // rounded, and never below 0
      if (l > 15) l = 15;
      l -= 8;
      const weighted = weights[i]! * l;
      products += weighted * x[i]!;
      squares += weighted * l;
    }
    // For these integers the best scale is products / squares, and it lowers the error by products² / squares.
    if (squares > 0 && products * products > gain * squares) {
      gain = (products * products) / squares;
      best = products / squares;
    }
  }
  return best;
}
