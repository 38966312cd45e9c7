/** In which format a weight is kept, when not as plain numbers. */
import type { DType } from "../base/dtypes.js";

/**
 * The numbers of a row in blocks of a few bits each, with a scale for each block: see `ops/quantized.ts`.
 */
export interface BlockFormat {
  readonly bits: 4 | 8;
  /** How many numbers share a scale: a power of 2, from 16. */
  readonly block: number;
  /** Whole blocks. A wider matrix is kept, and multiplied with, as several side by side; as one when left out. */
  readonly columns?: number;
}

/** Whole rows of 8 bits, each with one scale: see `ops/rowQuantized.ts`. */
export interface RowFormat {
  readonly bits: 8;
  readonly block: "row";
}

export type QuantizedFormat = BlockFormat | RowFormat;

export const isInRows = (format: QuantizedFormat): format is RowFormat => format.block === "row";

/** Columns of a matrix, from one to before another. */
export type Span = readonly [start: number, end: number];

/** One of the tensors that a weight in few bits is made of: values or scales of some of its columns, or of all. */
export type WeightPart = QuantizedFormat & {
  readonly part: "values" | "scales";
  readonly span: Span;
};

/** The columns of a matrix of k that are kept together. */
export function spansOf(format: QuantizedFormat, k: number): readonly Span[] {
  const columns = (isInRows(format) ? undefined : format.columns) ?? k;
  return Array.from(
    { length: Math.ceil(k / columns) },
    (_, i): Span => [i * columns, Math.min(k, (i + 1) * columns)],
  );
}

/** Sizes of the parts of a weight (n, k) in blocks: values (n, blocks, bytes of a block), scales (n, blocks). */
export function partShapes({ bits, block }: BlockFormat, [n, k]: readonly [number, number]) {
  const blocks = Math.ceil(k / block);
  return { values: [n, blocks, (block * bits) / 8], scales: [n, blocks] } as const;
}

/** A part of a weight, as a program has it. */
export interface PartType {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly part: WeightPart;
}

/**
 * The parts of a weight (n, k), span by span. Values in rows lie as the kernel reads them, (k, n), with the scales (n).
 */
export function partsOf(
  name: string,
  [n, k]: readonly [number, number],
  format: QuantizedFormat,
): readonly { readonly span: Span; readonly values: PartType; readonly scales: PartType }[] {
  const rows = isInRows(format);
  const plain = rows ? { bits: format.bits, block: format.block } : blocksOf(format);
  return spansOf(format, k).map((span) => {
    const [start, end] = span;
    const width = end - start;
    const { values, scales } = rows ? { values: [k, n], scales: [n] } : partShapes(format, [n, width]);
    const place = width === k ? "" : `:${start}-${end}`;
    const typeOf = (part: WeightPart["part"], dtype: DType, shape: readonly number[]): PartType => ({
      ...{ name: `${name}${place}:${part}`, dtype, shape },
      part: { ...plain, part, span },
    });
    return {
      span,
      values: typeOf("values", rows ? "int8" : "uint8", values),
      scales: typeOf("scales", "float32", scales),
    };
  });
}

/** The format alone, without what else an object may say. */
const blocksOf = ({ bits, block, columns }: BlockFormat): BlockFormat =>
  columns === undefined ? { bits, block } : { bits, block, columns };
