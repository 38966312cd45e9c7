/** In which format each matrix of a model is kept. */
import type { FormatOf } from "../graph/index.js";

/** `fp32`: as they are. `int8`, `int4`: the matrices in few bits, most of them in blocks. */
export type WeightFormat = "fp32" | "int8" | "int4";

export const weightFormats: readonly WeightFormat[] = ["fp32", "int8", "int4"];

/** The vision encoder: many tokens at once, where whole numbers by rows are the fastest. */
const vision = /^vision_encoder\./;
/** What is computed once an image or a text, and is a small part of the whole, is kept in 8 bits. */
const once = /\.gated_cross_attn_layer\.attn\.to_kv\.|^(transformer|token_embedding)\./;
/** The resampler is small, and every token sees its latents. */
const asItIs = /^perceiver\./;

/**
 * @param block how many numbers share a scale: 128 is the fastest, 32 the most exact
 * @param exact whether products with 4 bits are those of the numbers as they are: slower, see `quantizedLinear`
 */
export function formatsOf(weights: WeightFormat, { block = 128, exact = false } = {}): FormatOf | undefined {
  if (weights === "fp32") return undefined;
  return (name) => {
    if (asItIs.test(name)) return undefined;
    if (vision.test(name)) return { bits: 8, block: "row" };
    const bits = weights === "int8" || once.test(name) ? 8 : 4;
    return { bits, block, exact };
  };
}
