/**
 * Self-attention of a language model's blocks: over the new tokens alone, or with a cache of all earlier ones. Both
 * ways in which models encode positions come in here: what is added to the scores, and how queries and keys are turned.
 *
 * Sizes: b prompts, t new tokens, total positions of keys, h heads, e head dimension, c head dimension in the cache.
 */
import {
  add,
  attention,
  cachedAttention,
  type Dim,
  equal,
  iota,
  pad,
  rearrange,
  reshape,
  slice,
  sum,
  type Tensor,
  where,
} from "../graph/index.js";
import type { Attend, LanguageModel } from "./language.js";

/** Keys and values of the tokens so far, for every block (b, h, capacity, c). */
export interface Cache {
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
  /** int32 (b): the cache position of each row's first new token. */
  readonly start: Tensor;
}

/** The head dimension in the cache: kernels take heads in steps of 8 numbers. What is filled up is 0. */
export const cacheHeadDim = (headDim: number): number => 8 * Math.ceil(headDim / 8);

/** Which keys the new tokens see, and where these stand. */
export interface AttentionContext {
  readonly position: Tensor; // float32 (b, total), of every key
  /** 0, or −1e30 for a key that a token may not see. */
  readonly mask: Tensor; // float32 (b, t, total)
  /** Absent: the new tokens are the whole text, and `mask` alone says what is ahead. */
  readonly cache?: Cache;
}

/**
 * @param t how many tokens are new
 * @returns the attention of block i, and the cache with the new tokens in it: the blocks that attended, in their order
 */
export function selfAttention(
  { rotation, attentionBias }: Pick<LanguageModel, "rotation" | "attentionBias">,
  { position, mask, cache }: AttentionContext,
  t: Dim,
): { attendIn: (i: number) => Attend; cache: Pick<Cache, "keys" | "values"> } {
  const bias = attentionBias(position, mask); // (b, h or 1, t, total)
  const turn = rotation?.(cache ? positionsOfNew(position, cache.start, t) : position) ?? ((x: Tensor) => x);
  const presentKeys: Tensor[] = [];
  const presentValues: Tensor[] = [];

  const attendIn = (i: number): Attend => {
    if (!cache)
      return (queries, keys, values, { scale }) => attendFull(turn(queries), turn(keys), values, bias, scale);
    const past = { keys: cache.keys[i]!, values: cache.values[i]!, start: cache.start };
    return (queries, keys, values, { scale }) => {
      const [y, nextKeys, nextValues] = attendCached(turn(queries), turn(keys), values, past, bias, scale);
      presentKeys.push(nextKeys);
      presentValues.push(nextValues);
      return y;
    };
  };
  return { attendIn, cache: { keys: presentKeys, values: presentValues } };
}

/** (b, t, h, e) → (b, t, h, e), without a cache. */
function attendFull(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: number): Tensor {
  const toHeads = (x: Tensor) => rearrange(x, "b t h e -> b h t e");
  const y = attention(toHeads(queries), toHeads(keys), toHeads(values), bias, { scale });
  return rearrange(y, "b h t e -> b t h e");
}

/** (b, t, h, e) → y (b, t, h, e), and the block's keys and values with the new ones in them. */
function attendCached(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  past: { keys: Tensor; values: Tensor; start: Tensor },
  bias: Tensor,
  scale: number,
): [Tensor, Tensor, Tensor] {
  const [e, c] = [queries, past.keys].map(({ shape }) => shape.at(-1) as number) as [number, number];
  // Zeros at the end of a head change no product.
  const filled = (x: Tensor) => (e === c ? x : pad(x, { axis: -1, before: 0, after: c - e })); // (b, t, h, c)
  const [y, nextKeys, nextValues] = cachedAttention(
    filled(queries),
    filled(keys),
    filled(values),
    past.keys,
    past.values,
    past.start,
    bias,
    { scale },
  ) as [Tensor, Tensor, Tensor];
  return [e === c ? y : slice(y, { axis: -1, start: 0, end: e }), nextKeys, nextValues];
}

/** The positions of the new tokens, float32 (b, t): those of their cache positions, which begin at `start`. */
function positionsOfNew(position: Tensor, start: Tensor, t: Dim): Tensor {
  const { graph } = position.node;
  const [b, total] = position.shape as [never, never];
  const cachePositions = add(
    reshape(start, { shape: [b, 1, 1] }),
    reshape(iota(graph, t), { shape: [1, t, 1] }),
  ); // (b, t, 1)
  const isOwn = equal(cachePositions, iota(graph, total)); // (b, t, total)
  return sum(where(isOwn, reshape(position, { shape: [b, 1, total] }), 0), { axes: [-1] });
}
