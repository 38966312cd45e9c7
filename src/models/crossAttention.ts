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
  constant,
  type Dim,
  equal,
  iota,
  less,
  MASK_VALUE,
  mul,
  rearrange,
  sizes,
  splitInto,
  sub,
  type Tensor,
  tanh,
  where,
} from "../graph/index.js";
import type { KeysValues } from "./language.js";
import { feedForward, layerNorm, linear, type Params, widthOf } from "./layers.js";

export interface CrossAttentionConfig {
  readonly heads: number;
  readonly headDim: number;
  /** How many times wider the feed-forward layer is. */
  readonly mlpRatio: number;
  /**
   * Whether a token sees its own image alone, as in the released models and when left out, or those before it as well:
   * the reference implementation's `only_attend_immediate_media`.
   */
  readonly onlyImmediate?: boolean;
}

export const releasedCrossAttention: CrossAttentionConfig = { heads: 8, headDim: 64, mlpRatio: 4 };

/** Keys and values of images: (…, h, n, e) each. */
export type Media = KeysValues;

/** An image's keys and values for one block: latents (N, n, dv) → (N, h, n, e). They serve every token and beam. */
export function projectMedia(p: Params, latents: Tensor, { heads, headDim }: CrossAttentionConfig): Media {
  const kv = linear(p.at("attn").at("to_kv"), latents, 2 * heads * headDim); // (N, n, 2·h·e)
  const [keys, values] = splitInto(kv, 2, { axis: -1 }); // (N, n, h·e) each
  const toHeads = (each: Tensor) => rearrange(each, "N n (h e) -> N h n e", { h: heads });
  return { keys: toHeads(keys), values: toHeads(values) };
}

/** Image indices of a token that has no image of its own: before the first `<image>`, and after too many of them. */
export const NO_IMAGE = -1;
export const ALL_IMAGES = -2;

/** Which latents a token attends to, in the form that the blocks need; one for all blocks. */
export interface CrossAttentionMask {
  readonly bias: Tensor; // (b, 1, t, s·n)
  readonly queryGate: Tensor; // (b, t, 1): 0 where a token attends to all latents alike, and so queries nothing
  readonly hasImage: Tensor; // (b, t, 1) or (): 0 where a token sees none
}

/**
 * What the reference implementation makes of a token with no image of its own: where it masks every latent, softmax
 * gives them all the same weight, and no gradient reaches queries or keys; a query of 0 without any mask is just that.
 *
 * | | before the first `<image>` | after more `<image>`s than images |
 * |---|---|---|
 * | its own image only | sees none: the result is 0 | attends to all latents alike |
 * | earlier ones as well | attends to all latents alike | sees all images |
 *
 * @param imageIndex int32 (b, t): the token's image, 0 … s − 1, or `NO_IMAGE`, or `ALL_IMAGES`
 * @param images s
 * @param latents n
 */
export function crossAttentionMask(
  imageIndex: Tensor,
  images: Dim,
  latents: number,
  { onlyImmediate = true }: Pick<CrossAttentionConfig, "onlyImmediate"> = {},
): CrossAttentionMask {
  const { b, t } = sizes(imageIndex, "b t");
  const own = rearrange(imageIndex, "b t -> b t ()");
  const image = iota(imageIndex.node.graph, images); // (s)
  const sees = onlyImmediate ? equal(own, image) : less(image, add(own, 1)); // (b, t, s)
  const bias = where(less(own, 0), 0, where(sees, 0, MASK_VALUE)); // (b, t, s)
  const perLatent = broadcastTo(rearrange(bias, "b t s -> b t s ()"), { shape: [b, t, images, latents] });

  const zeroWhere = (isZero: Tensor) => sub(1, cast(isZero, { to: "float32" }));
  return {
    bias: rearrange(perLatent, "b t s n -> b () t (s n)"),
    queryGate: zeroWhere(equal(own, onlyImmediate ? ALL_IMAGES : NO_IMAGE)), // (b, t, 1)
    hasImage: onlyImmediate ? zeroWhere(equal(own, NO_IMAGE)) : constant(own.node.graph, 1),
  };
}

/**
 * x ← x + tanh(attn_gate) · attention(x, images), then x ← x + tanh(ff_gate) · feedForward(x). Training starts with
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
  const gate = (name: string) => tanh(p.tensor(name, [1]));
  x = add(x, mul(maskedCrossAttention(p.at("attn"), x, media, mask, config), gate("attn_gate"))); // (b, t, d)
  x = add(x, mul(feedForward(p.at("ff"), x, config), gate("ff_gate"))); // (b, t, d)
  return x;
}

/** x (b, t, d) → (b, t, d); the caller adds the result. */
export function maskedCrossAttention(
  p: Params, // norm, to_q, to_out
  x: Tensor,
  { keys, values }: Media, // (b, h, s·n, e) each
  { bias, queryGate, hasImage }: CrossAttentionMask,
  { heads, headDim }: Pick<CrossAttentionConfig, "heads" | "headDim">,
): Tensor {
  const q = linear(p.at("to_q"), layerNorm(p.at("norm"), x), heads * headDim); // (b, t, h·e)
  const queries = rearrange(mul(q, queryGate), "b t (h e) -> b h t e", { h: heads });
  const attended = attention(queries, keys, values, bias, { scale: headDim ** -0.5 }); // (b, h, t, e)
  const y = mul(rearrange(attended, "b h t e -> b t (h e)"), hasImage); // (b, t, h·e)
  return linear(p.at("to_out"), y, widthOf(x)); // (b, t, d)
}
