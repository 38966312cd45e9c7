/** In which format each tensor of a model is kept. */
import type { FormatOf } from "../graph/index.js";

/**
 * `fp32`: as they are. `fp16`: all numbers rounded to float16 in files, float32 in memory. `int8`, `int4`: the matrices
 * in few bits, most of them in blocks.
 */
export type WeightFormat = "fp32" | "fp16" | "int8" | "int4";

/** The most exact first. */
export const weightFormats: readonly WeightFormat[] = ["fp32", "fp16", "int8", "int4"];

/** Formats that some tensors of a model may be kept in, where it is in a less exact one. */
export type KeptFormat = "fp32" | "int8";

/** Parts of tensors' names, with the format of those tensors: the first part that fits counts. */
export type Kept = ReadonlyMap<string, KeptFormat>;

/** What is to be known of a prepared folder for its programs to be made. */
export interface FormatSettings {
  readonly weights: WeightFormat;
  /** How many numbers share a scale: 256 is the fastest, 32 the most exact. */
  readonly block: number;
  readonly keep: Kept;
}

/** The vision encoder: many tokens at once, where whole numbers by rows are the fastest. */
const vision = /^vision_encoder\./;
/** What is computed once an image or a text, and is a small part of the whole, is kept in 8 bits. */
const once = /\.gated_cross_attn_layer\.attn\.to_kv\.|^(transformer|token_embedding)\./;
/** The resampler is small, and every token sees its latents. */
const asItIs = /^perceiver\./;

/**
 * From so many columns on, a matrix in blocks is kept as several. The kernel brings 128 rows of it into the processor's
 * second cache, for each two of the rows that it multiplies with: with 16384 columns of 4 bits they are 1 MB, and three
 * rows take 1.7 times as long as one; side by side in fours, 1.25 times. With 10240 and less one row would be slower.
 */
const wide = { from: 16384, columns: 4096 };

/** Formats that programs compute in: in float32 unless one is given. */
const inBits = { fp32: undefined, fp16: undefined, int8: 8, int4: 4 } as const;

/**
 * @param block as in `FormatSettings`
 * @param exact whether products with 4 bits are those of the numbers as they are: slower, see `quantizedLinear`
 */
export function formatsOf(
  weights: WeightFormat,
  { block = 128, exact = false, keep = new Map() }: Partial<FormatSettings> & { exact?: boolean } = {},
): FormatOf | undefined {
  const bits = inBits[weights];
  if (bits === undefined) return undefined;
  return (name, [, k]) => {
    const kept = keptFormat(name, keep);
    if (kept === "fp32" || asItIs.test(name)) return undefined;
    if (vision.test(name)) return { bits: 8, block: "row" };
    const blocks = { bits: kept === "int8" || once.test(name) ? 8 : bits, block, exact } as const;
    return k < wide.from ? blocks : { ...blocks, columns: wide.columns };
  };
}

/** Which tensors are rounded to float16; undefined: none. */
export type IsHalf = ((tensor: string) => boolean) | undefined;

export const halvesOf = ({ weights, keep }: Pick<FormatSettings, "weights" | "keep">): IsHalf =>
  weights === "fp16" ? (tensor) => keptFormat(tensor, keep) === undefined : undefined;

const keptFormat = (tensor: string, keep: Kept): KeptFormat | undefined =>
  [...keep].find(([part]) => tensor.includes(part))?.[1];
