/**
 * Perceiver resampler: any number of patch tokens in, a fixed number of latents out.
 *
 * Paper: Flamingo (arXiv:2204.14198), "Visual processing and the Perceiver Resampler".
 * Reference: open_flamingo/src/helpers.py, `PerceiverAttention` and `PerceiverResampler`.
 * Sizes: b prompts, T images of a prompt, F frames, v patches, n latents, d hidden size, h heads, e head dimension.
 */
import {
  add,
  attention,
  broadcastTo,
  concat,
  type Dim,
  rearrange,
  sizes,
  slice,
  splitInto,
  type Tensor,
} from "../graph/index.js";
import { feedForward, layerNorm, linear, type Params, widthOf } from "./layers.js";

export interface PerceiverConfig {
  readonly depth: number;
  readonly heads: number;
  readonly headDim: number;
  /** How many latents stand for an image, n. */
  readonly latents: number;
  /** How many times wider than its input the feed-forward layer is. */
  readonly mlpRatio: number;
  /** How many frames of an image can be distinguished; left out, frames have no embedding. */
  readonly frames?: number;
  /** How many images of a prompt can be distinguished; left out, images have no embedding of their place. */
  readonly images?: number;
}

/** What the reference implementation's factory always uses. */
export const releasedPerceiver: PerceiverConfig = {
  depth: 6,
  heads: 8,
  headDim: 64,
  latents: 64,
  mlpRatio: 4,
};

/** x (b, T, F, v, d) → (b, T, n, d) */
export function perceiver(p: Params, x: Tensor, config: PerceiverConfig): Tensor {
  const { b, T } = sizes(x, "b T F v d");
  const d = widthOf(x);
  const n = config.latents;
  const features = withEmbeddings(p, x, config); // (b, T, F·v, d)

  let latents = broadcastTo(p.tensor("latents", [n, d]), { shape: [b, T, n, d] });
  for (let i = 0; i < config.depth; i++) {
    const layer = p.at("layers").at(i);
    latents = add(perceiverAttention(layer.at(0), features, latents, config), latents); // (b, T, n, d)
    latents = add(feedForward(layer.at(1), latents, config), latents); // (b, T, n, d)
  }
  return layerNorm(p.at("norm"), latents);
}

/** Adds the embeddings of frames and of images, where the model has them: (b, T, F, v, d) → (b, T, F·v, d) */
function withEmbeddings(p: Params, x: Tensor, { frames, images }: PerceiverConfig): Tensor {
  const { T, F } = sizes(x, "b T F v d");
  const d = widthOf(x);
  const first = (table: Tensor, count: Dim) => slice(table, { axis: 0, start: 0, end: count });
  if (frames !== undefined) {
    const ofFrames = first(p.tensor("frame_embs", [frames, d]), F); // (F, d)
    x = add(x, rearrange(ofFrames, "F d -> F () d"));
  }
  const features = rearrange(x, "b T F v d -> b T (F v) d");
  if (images === undefined) return features;
  return add(features, first(p.tensor("media_time_embs", [images, 1, d]), T)); // (T, 1, d)
}

/** The latents query, image and latents are queried. The caller adds the result. */
function perceiverAttention(
  p: Params, // norm_media, norm_latents, to_q, to_kv, to_out
  x: Tensor, // (b, T, v, d)
  latents: Tensor, // (b, T, n, d)
  { heads, headDim }: PerceiverConfig,
): Tensor {
  x = layerNorm(p.at("norm_media"), x); // (b, T, v, d)
  latents = layerNorm(p.at("norm_latents"), latents); // (b, T, n, d)

  const queries = linear(p.at("to_q"), latents, heads * headDim); // (b, T, n, h·e)
  // Latents are keys too: a latent can then keep what it already knows.
  const kv = linear(p.at("to_kv"), concat([x, latents], { axis: -2 }), 2 * heads * headDim); // (b, T, v + n, 2·h·e)
  const [keys, values] = splitInto(kv, 2, { axis: -1 }); // (b, T, v + n, h·e) each

  const toHeads = (each: Tensor) => rearrange(each, "b T n (h e) -> b T h n e", { h: heads });
  const scale = headDim ** -0.5;
  const attended = attention(toHeads(queries), toHeads(keys), toHeads(values), undefined, { scale }); // (b, T, h, n, e)
  return linear(p.at("to_out"), rearrange(attended, "b T h n e -> b T n (h e)"), widthOf(x)); // (b, T, n, d)
}
