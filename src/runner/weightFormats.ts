/** In which format each matrix of a model is kept. */
import type { FormatOf } from "../graph/index.js";

/** `fp32`: as they are. `int8`, `int4`: the matrices in blocks of 8 or 4 bits. */
export type WeightFormat = "fp32" | "int8" | "int4";

export const weightFormats: readonly WeightFormat[] = ["fp32", "int8", "int4"];

/** What is computed once an image, and is a small part of the whole, is kept in 8 bits. */
const ofImages = /^vision_encoder\.|\.gated_cross_attn_layer\.attn\.to_kv\./;
/** The resampler is small, and every token sees its latents. */
const exact = /^perceiver\./;

/**
 * @param block how many numbers share a scale: 128 is the fastest, 32 the most exact
 */
export function formatsOf(weights: WeightFormat, { block = 128 } = {}): FormatOf | undefined {
  if (weights === "fp32") return undefined;
  return (name) => {
    if (exact.test(name)) return undefined;
    const bits = weights === "int8" || ofImages.test(name) ? 8 : 4;
    return { bits, block, exact: false };
  };
}
