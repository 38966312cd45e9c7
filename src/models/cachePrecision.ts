/**
 * Keys and values in caches of fewer bits than they are computed in.
 *
 * float16 holds them as they are, rounded. int8 holds whole numbers: each number of a head is divided by a scale of its
 * own, one for each prompt, and what lies beyond ±127 is cut there. Kernels need not know of scales: queries are
 * multiplied by those of keys, results by those of values.
 *
 * Scales are found in the tokens at the beginning of a text (its first piece) and are kept for what follows, which they
 * must fit as well: they reach `margin` times as far as the largest number seen in their place, and at least as far as
 * `reach` times the usual size of the head's numbers, since a short prompt shows little of each place. Measured:
 * decision 0015.
 * Sizes: b prompts, t new tokens, h heads, e head dimension in the cache.
 */
import {
  add,
  cast,
  concat,
  constant,
  div,
  equal,
  less,
  maskValue,
  max,
  mean,
  mul,
  rearrange,
  slice,
  sqrt,
  type Tensor,
  where,
} from "../graph/index.js";
import type { CachedBlock } from "./language.js";

const margin = 1.5;
const reach = 5;
/** Greatest magnitude in int8; −128 is left out, so that both signs reach equally far. */
const most = 127;
/** A head of zeros has scales too. */
const smallest = 1e-20;

/** What enters attention, in the types that a cache asks for. */
export interface InCache {
  readonly queries: Tensor; // (b, t, h, e), as are keys and values
  readonly keys: Tensor;
  readonly values: Tensor;
  /** For what follows; of an int8 cache only. */
  readonly scales: Tensor | undefined;
  /** What attention gives, as it would be without a cache of fewer bits. */
  restore(y: Tensor): Tensor;
}

export interface CacheContext {
  readonly past: CachedBlock;
  /** int32 (b): the cache position of each prompt's first new token. */
  readonly start: Tensor;
  /** As in `LanguageModel`. */
  readonly largestTurned?: ((squares: Tensor) => Tensor) | undefined;
}

/** Queries, keys and values (b, t, h, e) for a block's cache. */
export function intoCache(
  queries: Tensor,
  keys: Tensor,
  values: Tensor,
  { past, start, largestTurned }: CacheContext,
): InCache {
  if (!past.scales) {
    const type = past.keys.dtype;
    const kept = (x: Tensor) => (x.dtype === type ? x : cast(x, { to: type }));
    return {
      queries: kept(queries),
      keys: kept(keys),
      values: kept(values),
      scales: undefined,
      restore: (y) => (y.dtype === queries.dtype ? y : cast(y, { to: queries.dtype })),
    };
  }
  const squares = mul(keys, keys);
  const found = scalesOf(largestTurned?.(squares) ?? squares, mul(values, values)); // (b, 2·h, e)
  const isFirst = equal(rearrange(start, "b -> b () ()"), 0);
  const scales = where(isFirst, found, past.scales);
  const h = keys.shape[2] as number;
  const from = (start: number) => slice(scales, { axis: 1, start, end: start + h });
  const [ofKeys, ofValues] = [from(0), from(h)].map((x) => rearrange(x, "b h e -> b () h e"));
  return {
    queries: mul(queries, ofKeys!),
    keys: div(keys, ofKeys!),
    values: div(values, ofValues!),
    scales,
    restore: (y) => mul(y, ofValues!),
  };
}

/** Scales for keys and, behind them, for values, from squares (b, t, h, e) of both → (b, 2·h, e) */
function scalesOf(ofKeys: Tensor, ofValues: Tensor): Tensor {
  const squares = concat([ofKeys, ofValues], { axis: 2 }); // (b, t, 2·h, e)
  const seen = mul(margin ** 2, max(squares, { axes: [1] })); // (b, 2·h, e)
  const usual = mul(reach ** 2, mean(squares, { axes: [1, 3] })); // (b, 2·h)
  const least = rearrange(usual, "b h -> b h ()");
  return div(sqrt(add(where(less(seen, least), least, seen), smallest)), most);
}

/** What is added to scores, in the type that a cache of this type asks for. */
export function biasInCache(bias: Tensor, past: CachedBlock | undefined): Tensor {
  if (past?.keys.dtype !== "float16") return bias;
  const least = constant(bias.node.graph, maskValue("float16"));
  return cast(where(less(bias, least), least, bias), { to: "float16" });
}
