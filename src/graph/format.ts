/** In which format a weight is kept, when not as plain numbers. */

/**
 * The numbers of a row in blocks of a few bits each, with a scale for each block: see `ops/quantized.ts`.
 */
export interface BlockFormat {
  readonly bits: 4 | 8;
  /** How many numbers share a scale: a power of 2, from 16. */
  readonly block: number;
}

/** One of the two tensors that a weight in blocks is made of. */
export interface WeightPart extends BlockFormat {
  readonly part: "values" | "scales";
}

/** Sizes of the parts of a weight (n, k): values uint8 (n, blocks, bytes of a block), scales float32 (n, blocks). */
export function partShapes({ bits, block }: BlockFormat, [n, k]: readonly [number, number]) {
  const blocks = Math.ceil(k / block);
  return { values: [n, blocks, (block * bits) / 8], scales: [n, blocks] } as const;
}
