/**
 * ALiBi: positions as slopes on the attention scores.
 *
 * Paper: "Train Short, Test Long" (arXiv:2108.12409). Reference: the hub's code of mosaicml/mpt-7b (`attention.py`,
 * `build_alibi_bias`).
 * Sizes: b prompts, t tokens, total positions of keys, h heads.
 */
import { add, constant, mul, reshape, type Tensor } from "../graph/index.js";

/**
 * slope · position of the key. Softmax does not see what is added to a whole row, so the distance need not be taken.
 *
 * @param position float32 (b, total), of every key
 * @param mask float32 (b, t, total)
 * @returns (b, h, t, total)
 */
export function alibiBias(position: Tensor, mask: Tensor, slopes: readonly number[]): Tensor {
  const [b, t, total] = mask.shape as [never, never, never];
  const perHead = constant(position.node.graph, slopes, { shape: [slopes.length, 1, 1] });
  const alibi = mul(perHead, reshape(position, { shape: [b, 1, 1, total] })); // (b, h, 1, total)
  return add(alibi, reshape(mask, { shape: [b, 1, t, total] }));
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
