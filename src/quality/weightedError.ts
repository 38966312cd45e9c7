/** The error of a matrix in few bits in products with columns of known strength. */
import { rowsOf } from "../prepare/checkProducts.js";
import type { ReadTensor } from "../weights/loadWeights.js";

/** Rows that are looked at, from all over the matrix: enough, as all are made alike. */
const mostRows = 64;

/**
 * √(Σ_j s_j (w_j − q_j)² / Σ_j s_j w_j²) over rows w of the matrix and what they became, q: the error of a product,
 * relative to its size, with columns of mean squares s_j that are independent.
 *
 * @param importance (k): s
 * @returns undefined for a matrix that is kept as it is
 */
export function weightedError(
  { made, values }: Pick<ReadTensor, "made" | "values">,
  importance: Float32Array,
): number | undefined {
  const [use] = made.find(([{ part }]) => part) ?? [];
  if (!use?.part) return undefined;
  const [n, k] = use.from as [number, number];
  const rowOf = rowsOf(made, use.part, [n, k]);
  const count = Math.min(n, mostRows);
  let [off, size] = [0, 0];
  for (let i = 0; i < count; i++) {
    const row = Math.floor(((i + 1) * n) / count) - 1;
    const became = rowOf(row);
    for (let j = 0; j < k; j++) {
      const w = values[row * k + j]!;
      off += importance[j]! * (w - became[j]!) ** 2;
      size += importance[j]! * w ** 2;
    }
  }
  return size === 0 ? Math.sqrt(off) : Math.sqrt(off / size);
}
