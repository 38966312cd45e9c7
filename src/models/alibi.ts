/**
 * ALiBi: positions as slopes on the attention scores.
 *
 * Paper: "Train Short, Test Long" (arXiv:2108.12409). Reference: the hub's code of mosaicml/mpt-7b (`attention.py`,
 * `build_alibi_bias`).
 * Sizes: b prompts, t tokens, total positions of keys, h heads.
 */
import { add, constant, mul, rearrange, sub, type Tensor } from "../graph/index.js";
import type { Positions } from "./language.js";

/**
 * −slope · distance of the key from the query, plus the mask. Softmax does not see what is added to a whole row, so that
 * any position could be counted from, and the reference implementation counts from the last key. From the query itself
 * the keys that weigh most get the smallest numbers, in which a float is most exact: what softmax gives over 2,048 keys
 * is then within 6e-8 for every query; counted from the first or the last key it is only within 2e-5.
 *
 * @param mask float32 (b, t, total)
 * @param slopes one a head
 * @returns (b, h, t, total)
 */
export function alibiBias({ queries, keys }: Positions, mask: Tensor, slopes: readonly number[]): Tensor {
  const ofHeads = constant(mask.node.graph, slopes, { shape: [slopes.length, 1, 1], dtype: mask.dtype }); // (h, 1, 1)
  const distances = sub(rearrange(keys, "b total -> b () () total"), rearrange(queries, "b t -> b () t ()")); // (b, 1, t, total)
  return add(mul(ofHeads, distances), rearrange(mask, "b t total -> b () t total"));
}

/**
 * The slopes, one a head: 2^−(max·m/H), m = 1 … H, for H the next power of two; of a number of heads that is none,
 * every second one first, then those between.
 */
export function alibiSlopes(heads: number, max: number): readonly number[] {
  const H = 2 ** Math.ceil(Math.log2(heads));
  const slopes = Array.from({ length: H }, (_, i) => 2 ** ((-max * (i + 1)) / H));
  if (H === heads) return slopes;
  const odd = slopes.filter((_, i) => i % 2 === 0);
  const even = slopes.filter((_, i) => i % 2 === 1);
  return [...even, ...odd].slice(0, heads);
}
