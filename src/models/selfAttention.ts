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
  sizes,
  slice,
  sum,
  type Tensor,
  where,
} from "../graph/index.js";
import { biasInCache, type CacheContext, intoCache } from "./cachePrecision.js";
import type { Attend, CachedBlock, LanguageModel, WithPresent } from "./language.js";
import { widthOf } from "./layers.js";

/** Keys and values of the tokens so far. */
export interface Cache {
  readonly past: readonly CachedBlock[]; // for each block (b, h, capacity, c)
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
 * @returns the attention of block i
 */
export function selfAttention(
  {
    rotation,
    largestTurned,
    attentionBias,
  }: Pick<LanguageModel, "rotation" | "largestTurned" | "attentionBias">,
  { position, mask, cache }: AttentionContext,
  t: Dim,
): (i: number) => Attend {
  const ofNew = cache ? positionsOfNew(position, cache.start, t) : position; // (b, t)
  const exactBias = attentionBias({ queries: ofNew, keys: position }, mask); // (b, h or 1, t, total)
  const bias = biasInCache(exactBias, cache?.past[0]);
  const turn = rotation?.(ofNew) ?? ((x: Tensor) => x);

  return (i) =>
    (queries, keys, values, { scale }) => {
      const past = cache?.past[i];
      return cache && past
        ? attendCached(turn(queries), turn(keys), values, {
            ...{ past, start: cache.start, largestTurned },
            ...{ bias, scale },
          })
        : attendFull(turn(queries), turn(keys), values, { bias, scale });
    };
}

/** (b, t, h, e) three times → (b, t, h, e), without a cache. */
function attendFull(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  { bias, scale }: { bias: Tensor; scale: number },
): WithPresent {
  const toHeads = (x: Tensor) => rearrange(x, "b t h e -> b h t e");
  const y = attention(toHeads(queries), toHeads(keys), toHeads(values), bias, { scale }); // (b, h, t, e)
  return { y: rearrange(y, "b h t e -> b t h e"), present: undefined };
}

/** (b, t, h, e) three times → (b, t, h, e), and the block's cache with the new keys and values in it. */
function attendCached(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  { bias, scale, ...context }: CacheContext & { bias: Tensor; scale: number },
): WithPresent {
  const { past, start } = context;
  const [e, c] = [widthOf(queries), widthOf(past.keys)];
  // Zeros at the end of a head change no product.
  const filled = (x: Tensor) => (e === c ? x : pad(x, { axis: -1, before: 0, after: c - e })); // (b, t, h, c)
  const given = intoCache(filled(queries), filled(keys), filled(values), context);
  const [attended, presentKeys, presentValues] = cachedAttention(
    given.queries,
    given.keys,
    given.values,
    past.keys,
    past.values,
    start,
    bias,
    { scale },
  );
  const y = given.restore(attended); // (b, t, h, c)
  return {
    y: e === c ? y : slice(y, { axis: -1, start: 0, end: e }), // (b, t, h, e)
    present: { keys: presentKeys, values: presentValues, scales: given.scales },
  };
}

/** The positions of the new tokens, float32 (b, t): those of their cache positions, which begin at `start`. */
function positionsOfNew(position: Tensor, start: Tensor, t: Dim): Tensor {
  const { graph } = position.node;
  const { total } = sizes(position, "b total");
  const cachePositions = add(rearrange(start, "b -> b () ()"), rearrange(iota(graph, t), "t -> t ()")); // (b, t, 1)
  const isOwn = equal(cachePositions, iota(graph, total)); // (b, t, total)
  return sum(where(isOwn, rearrange(position, "b total -> b () total"), 0), { axes: [-1] });
}
