/**
 * CLIP's two towers side by side: features of images and texts in one space, and how well they go together.
 *
 * Paper: CLIP (arXiv:2103.00020), Section "Selecting an Efficient Pre-Training Method". Reference: open_clip 2.20.0,
 * src/open_clip/model.py, `CLIP`, and transformer.py, `VisionTransformer`.
 * Sizes: N images, b texts, S pixels a side, v patches, d hidden size, f width of the features.
 */
import {
  div,
  exp,
  matmul,
  mul,
  rearrange,
  slice,
  sqrt,
  sum,
  type Tensor,
  transposeLast,
} from "../graph/index.js";
import { layerNorm, type Params, widthOf } from "./layers.js";
import { type VitConfig, vitTokens } from "./vit.js";

/**
 * pixels float32 (N, 3, S, S) → (N, f), not normalised: the class token, normed and projected.
 *
 * @param choose as for `vitTokens`
 */
export function imageFeatures(
  p: Params,
  pixels: Tensor,
  config: VitConfig,
  features: number,
  choose?: (tokens: Tensor) => Tensor,
): Tensor {
  return pooled(p, vitTokens(p.at("visual"), pixels, config, choose), features);
}

/** The class token of the last block's tokens, normed and projected: (N, tokens, d) → (N, f) */
export function pooled(p: Params, tokens: Tensor, features: number): Tensor {
  const visual = p.at("visual");
  const classToken = rearrange(slice(tokens, { axis: 1, start: 0, end: 1 }), "N () d -> N d");
  return matmul(
    layerNorm(visual.at("ln_post"), classToken),
    visual.tensor("proj", [widthOf(tokens), features]),
  );
}

/** Features of length 1: (…, f) → (…, f) */
export const normalized = (x: Tensor): Tensor => div(x, sqrt(sum(mul(x, x), { axes: [-1], keep: true })));

/** Logits of texts for images: images (N, f) and texts (b, f), both normalised → (N, b) */
export const similarity = (p: Params, images: Tensor, texts: Tensor): Tensor =>
  mul(matmul(images, transposeLast(texts)), exp(p.tensor("logit_scale", [])));
