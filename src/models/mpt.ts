/**
 * MPT: a decoder without biases whose positions are slopes on the attention scores (ALiBi).
 *
 * Papers: MosaicML's MPT-7B; "Train Short, Test Long" (arXiv:2108.12409) for ALiBi. Original: the hub's code of
 * mosaicml/mpt-7b (`blocks.py`, `attention.py`, `modeling_mpt.py`).
 * Sizes: b prompts, t tokens, total slots of keys, d width, h heads, e width of a head.
 */
import {
  add,
  constant,
  gather,
  gelu,
  mul,
  linear as plainLinear,
  rearrange,
  reshape,
  split,
  type Tensor,
} from "../graph/index.js";
import type { LanguageModel } from "./language.js";
import { layerNorm, linear, widthOf } from "./layers.js";

export interface MptConfig {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly expansion: number;
  readonly vocabulary: number;
  readonly positions: number;
  /** The greatest exponent of the slopes: they are 2^−(alibiMax · m / h), m = 1 … h. */
  readonly alibiMax: number;
}

export function mpt({
  layers,
  width,
  heads,
  expansion,
  vocabulary,
  positions,
  alibiMax,
}: MptConfig): LanguageModel {
  const headWidth = width / heads;
  return {
    layers,
    width,
    heads,
    headWidth,
    vocabulary,
    positions,
    blocks: "transformer.blocks",
    embedding: "transformer.wte.weight",

    embed: (p, ids) => gather(p.tensor("transformer.wte.weight", [vocabulary, width]), ids), // (b, t, d)

    // slope · position of the key. Softmax does not see what is added to a whole row, so the distance need not be taken.
    attentionBias: (position, mask) => {
      const [b, t, total] = mask.shape as [never, never, never];
      const slopes = constant(position.node.graph, alibiSlopes(heads, alibiMax), { shape: [heads, 1, 1] });
      const alibi = mul(slopes, reshape(position, { shape: [b, 1, 1, total] })); // (b, h, 1, total)
      return add(alibi, reshape(mask, { shape: [b, 1, t, total] })); // (b, h, t, total)
    },

    block: (p, x, attend) => {
      const normed = layerNorm(p.at("norm_1"), x, { bias: false });
      const joined = linear(p.at("attn").at("Wqkv"), normed, 3 * width); // (b, t, 3·d)
      const [queries, keys, values] = split(joined, { parts: 3, axis: -1 }).map((each) =>
        rearrange(each, "b t (h e) -> b t h e", { h: heads }),
      ) as [Tensor, Tensor, Tensor];
      const y = attend(queries, keys, values, { scale: headWidth ** -0.5 }); // (b, t, h, e)
      const attended = add(
        x,
        linear(p.at("attn").at("out_proj"), rearrange(y, "b t h e -> b t (h e)"), width),
      );

      const inner = linear(
        p.at("ffn").at("up_proj"),
        layerNorm(p.at("norm_2"), attended, { bias: false }),
        expansion * width,
      );
      return add(attended, linear(p.at("ffn").at("down_proj"), gelu(inner), width)); // (b, t, d)
    },

    // The embedding is the output projection too.
    logits: (p, x) => {
      const normed = layerNorm(p.at("transformer").at("norm_f"), x, { bias: false }); // (w, d)
      return plainLinear(normed, p.tensor("transformer.wte.weight", [vocabulary, widthOf(x)]), undefined); // (w, V)
    },
  };
}

/**
 * The slopes of ALiBi, one a head: 2^−(max·m/H), m = 1 … H, for H the next power of two; of a number of heads that is
 * none, every second one first, then those between.
 */
export function alibiSlopes(heads: number, max: number): readonly number[] {
  const H = 2 ** Math.ceil(Math.log2(heads));
  const slopes = Array.from({ length: H }, (_, i) => 2 ** ((-max * (i + 1)) / H));
  if (H === heads) return slopes;
  const odd = slopes.filter((_, i) => i % 2 === 0);
  const even = slopes.filter((_, i) => i % 2 === 1);
  return [...even, ...odd].slice(0, heads);
}
