/**
 * Gated cross-attention: how a frozen language model gets to look at images.
 *
 * Paper: Flamingo (arXiv:2204.14198), "Conditioning frozen language models on visual representations", and "Per-image/
 * video attention masking" for which image a token sees. Reference: open_flamingo/src/helpers.py,
 * `MaskedCrossAttention` and `GatedCrossAttentionBlock`.
 * Sizes: b prompts, t tokens, s images that a prompt may look at, n latents, d hidden size, h heads, e head dimension.
 */
import {
  add,
  attention,
  broadcastTo,
  cast,
  equal,
  iota,
  less,
  MASK_VALUE,
  mul,
  rearrange,
  reshape,
  split,
  sub,
  type Tensor,
  tanh,
  times,
  where,
} from "../graph/index.js";
import { feedForward, layerNorm, linear, type Params, widthOf } from "./layers.js";

export interface CrossAttentionConfig {
  readonly heads: number;
  readonly headDim: number;
  /** How many times wider the feed-forward layer is. */
  readonly mlpRatio: number;
}

export const releasedCrossAttention: CrossAttentionConfig = { heads: 8, headDim: 64, mlpRatio: 4 };

/** Keys and values of images: (…, h, n, e) each. */
export interface Media {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** An image's keys and values for one block: latents (N, n, dv) → (N, h, n, e). They serve every token and beam. */
export function projectMedia(p: Params, latents: Tensor, { heads, headDim }: CrossAttentionConfig): Media {
  const both = linear(p.at("attn").at("to_kv"), latents, 2 * heads * headDim); // (N, n, 2·h·e)
  const [keys, values] = split(both, { parts: 2, axis: -1 }).map((t) =>
    rearrange(t, "N n (h e) -> N h n e", { h: heads }),
  );
  return { keys: keys!, values: values! };
}

/** Places of a token that are no image: it sees nothing, or every latent alike. */
export const NO_IMAGE = -1;
export const ALL_IMAGES = -2;

/** Which latents a token attends to, in the form that the blocks need; one for all blocks. */
export interface CrossAttentionMask {
  readonly bias: Tensor; // (b, 1, t, s·n)
  readonly queryGate: Tensor; // (b, t, 1): 0 where a token sees all images alike, and so queries nothing
  readonly hasImage: Tensor; // (b, t, 1): 0 where a token sees none
}

/**
 * @param imageIndex int32 (b, t): the token's image, 0 … s − 1, or `NO_IMAGE`, or `ALL_IMAGES` (the reference
 *   implementation's evenly spread attention of a text that has more `<image>` than images)
 * @param images s
 * @param latents n
 * @param onlyImmediate whether earlier images are hidden (the released models) or seen as well
 */
export function crossAttentionMask(
  imageIndex: Tensor,
  images: Tensor["shape"][number],
  latents: number,
  { onlyImmediate = true } = {},
): CrossAttentionMask {
  const [b, t] = imageIndex.shape as [never, never];
  const s = images;
  const { graph } = imageIndex.node;
  const of = reshape(imageIndex, { shape: [b, t, 1] });
  const sees = onlyImmediate ? equal(of, iota(graph, s)) : less(iota(graph, s), add(of, 1)); // (b, t, s)
  const all = equal(of, ALL_IMAGES);
  const bias = where(all, 0, where(sees, 0, MASK_VALUE)); // (b, t, s)
  const perLatent = broadcastTo(reshape(bias, { shape: [b, t, s, 1] }), { shape: [b, t, s, latents] });
  const factor = (zero: Tensor) => sub(1, cast(zero, { to: "float32" }));
  return {
    bias: reshape(perLatent, { shape: [b, 1, t, times(s, latents)] }),
    queryGate: factor(all),
    hasImage: factor(equal(of, NO_IMAGE)),
  };
}

/**
 * h ← tanh(attn_gate) · attention(h, images) + h, then h ← tanh(ff_gate) · feedForward(h) + h. Training starts with
 * both gates at 0, where the block changes nothing.
 *
 * @param x (b, t, d)
 * @param media (b, h, s·n, e)
 */
export function gatedCrossAttention(
  p: Params,
  x: Tensor,
  media: Media,
  mask: CrossAttentionMask,
  config: CrossAttentionConfig,
): Tensor {
  const attended = maskedCrossAttention(p.at("attn"), x, media, mask, config);
  const seen = add(mul(attended, tanh(p.tensor("attn_gate", [1]))), x);
  return add(mul(feedForward(p.at("ff"), seen, config), tanh(p.tensor("ff_gate", [1]))), seen);
}

/** x (b, t, d) → (b, t, d); the caller adds the result. */
export function maskedCrossAttention(
  p: Params, // norm, to_q, to_out
  x: Tensor,
  { keys, values }: Media,
  { bias, queryGate, hasImage }: CrossAttentionMask,
  { heads, headDim }: Pick<CrossAttentionConfig, "heads" | "headDim">,
): Tensor {
  const queries = mul(linear(p.at("to_q"), layerNorm(p.at("norm"), x), heads * headDim), queryGate); // (b, t, h·e)
  const toHeads = rearrange(queries, "b t (h e) -> b h t e", { h: heads });
  const y = attention(toHeads, keys, values, bias, { scale: headDim ** -0.5 }); // (b, h, t, e)
  return linear(p.at("to_out"), mul(rearrange(y, "b h t e -> b t (h e)"), hasImage), widthOf(x)); // (b, t, d)
}
