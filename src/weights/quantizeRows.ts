/** From plain numbers to whole rows of 8 bits, as `src/graph/ops/rowQuantized.ts` reads and wants them. */

/** The most of two neighbours' magnitudes together, so that rounding makes at most 128 of it, and of one alone. */
const [together, alone] = [127.9, 127];

/** Rows whose numbers are written side by side, which is many times as fast as one row down its column. */
const tile = 64;

export interface Rows {
  /** (k, n) */
  readonly values: Int8Array<ArrayBuffer>;
  /** (n) */
  readonly scales: Float32Array<ArrayBuffer>;
}

/** @param matrix (n, k), row by row */
export function quantizeRows(matrix: Float32Array, [n, k]: readonly [number, number]): Rows {
  const values = new Int8Array(k * n);
  const scales = Float32Array.from({ length: n }, (_, row) =>
    scaleOf(matrix.subarray(row * k, (row + 1) * k)),
  );
  const inverses = Float64Array.from(scales, (scale) => (scale === 0 ? 0 : 1 / scale));
  for (let first = 0; first < n; first += tile) {
    const end = Math.min(n, first + tile);
    for (let i = 0; i < k; i++) {
      for (let row = first; row < end; row++) {
        values[i * n + row] = Math.round(matrix[row * k + i]! * inverses[row]!);
      }
    }
  }
  return { values, scales };
}

/** The k numbers that a row stands for. */
export const rowOfRows = (
  { values, scales }: Rows,
  row: number,
  [n, k]: readonly [number, number],
): Float32Array => Float32Array.from({ length: k }, (_, column) => values[column * n + row]! * scales[row]!);

/** The smallest scale with which no number and no two neighbours are too large. */
function scaleOf(x: Float32Array): number {
  let scale = 0;
  for (let i = 0; i < x.length; i += 2) {
    const [a, b] = [Math.abs(x[i]!), i + 1 < x.length ? Math.abs(x[i + 1]!) : 0];
    scale = Math.max(scale, (a + b) / together, a / alone, b / alone);
  }
  return scale;
}
