/** In which format a weight is kept, when not as plain numbers. */
import type { DType } from "../base/dtypes.js";

/**
 * The numbers of a row in blocks of a few bits each, with a scale for each block: see `ops/quantized.ts`.
 */
export interface BlockFormat {
  readonly bits: 4 | 8;
  /** How many numbers share a scale: a power of 2, from 16. */
  readonly block: number;
}

/** Whole rows of 8 bits, each with one scale: see `ops/rowQuantized.ts`. */
export interface RowFormat {
  readonly bits: 8;
  readonly block: "row";
}

export type QuantizedFormat = BlockFormat | RowFormat;

export const isInRows = (format: QuantizedFormat): format is RowFormat => format.block === "row";

/** One of the two tensors that a weight in few bits is made of. */
export type WeightPart = QuantizedFormat & { readonly part: "values" | "scales" };

/** Sizes of the parts of a weight (n, k) in blocks: values (n, blocks, bytes of a block), scales (n, blocks). */
export function partShapes({ bits, block }: BlockFormat, [n, k]: readonly [number, number]) {
  const blocks = Math.ceil(k / block);
  return { values: [n, blocks, (block * bits) / 8], scales: [n, blocks] } as const;
}

/** The parts of a weight (n, k). Values in rows lie as the kernel reads them, (k, n), with the scales (n). */
export function partTypes(
  format: QuantizedFormat,
  [n, k]: readonly [number, number],
): Readonly<Record<WeightPart["part"], { readonly dtype: DType; readonly shape: readonly number[] }>> {
  const rows = isInRows(format);
  const { values, scales } = rows ? { values: [k, n], scales: [n] } : partShapes(format, [n, k]);
  return {
    values: { dtype: rows ? "int8" : "uint8", shape: values },
    scales: { dtype: "float32", shape: scales },
  };
}
