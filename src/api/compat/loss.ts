/**
 * The loss of `forward`: the mean cross-entropy of labels, each predicted by the logits before it.
 *
 * Reference: the labels' shift of the hub's MPT code, and torch's `cross_entropy` with `ignore_index` −100.
 */
import { logSumOfExponentials } from "../../generate/logits.js";
import { type PlainRows, type TextRow, usage } from "./inputs.js";
import type { TensorData } from "./tensorData.js";

/** Nothing is to be learned at this position. */
const IGNORED = -100;

/**
 * @param rows the texts without their padding
 * @param length of the padded rows
 * @throws OpenFlamingoError `usage` for labels of another shape, of no token, or where no token predicts them
 */
export function requireLabels(
  labels: PlainRows,
  rows: readonly TextRow[],
  { length, vocabulary }: { readonly length: number; readonly vocabulary: number },
): void {
  if (labels.length !== rows.length || labels.some((row) => row.length !== length)) {
    throw usage(
      `labels are not (${rows.length}, ${length}), as langX is`,
      "Give one label for each id; −100 for none.",
    );
  }
  for (const [r, { start, ids }] of rows.entries()) {
    for (const [t, label] of labels[r]!.entries()) {
      if (t === 0 || label === IGNORED) continue; // nothing stands before the first
      const isToken = Number.isInteger(label) && label >= 0 && label < vocabulary;
      if (isToken && t > start && t <= start + ids.length) continue;
      throw usage(
        `labels: row ${r} has ${label} at position ${t}`,
        `It must be −100, or one of 0 to ${vocabulary - 1} after a token that is no padding.`,
      );
    }
  }
}

/** @param logits (B, T, V) */
export function lossOf({ shape, data }: TensorData, labels: PlainRows): number {
  const [, T, V] = shape as [number, number, number];
  let sum = 0;
  let count = 0;
  for (const [r, row] of labels.entries()) {
    for (const [t, label] of row.entries()) {
      if (t === 0 || label === IGNORED) continue;
      const logits = data.subarray((r * T + t - 1) * V, (r * T + t) * V);
      sum += logSumOfExponentials(logits) - logits[label]!;
      count++;
    }
  }
  return sum / count;
}
