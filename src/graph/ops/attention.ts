/**
 * Attention, softmax(scale · q kᵀ + bias) v, over given keys and values or over a cache that grows.
 *
 * Sizes: … any axes, t queries, s keys, h heads, e width of a head.
 */

import type { DType } from "../../base/dtypes.js";
import { microsoft, onnxNodeOfMany } from "../backendNode.js";
import { constant } from "../constant.js";
import { defineOp, defineOpOfMany, type Operator, type OperatorOfMany } from "../op.js";
import { type Dim, sameDim, sameShape, showShape } from "../size.js";
import { shapeError, type Tensor } from "../tensor.js";
import { add, broadcastShape, cast, equal, less, mul, round, sameTypes, sub, where } from "./elementwise.js";
import { reshape, slice, transpose, transposeLast } from "./layout.js";
import { matmul } from "./linear.js";
import { softmax } from "./normalize.js";
import { max } from "./reduce.js";
import { dimensions, iota } from "./sources.js";

/**
 * What a masked score gets, in every type but float16, which does not reach so far: kernels agree on it, as they do not
 * on −∞ or the smallest float.
 */
export const MASK_VALUE = -1e30;

/** What a masked score of a type gets. In float16 it leaves as much room again for the score that it is added to. */
export const maskValue = (dtype: DType): number => (dtype === "float16" ? -32_752 : MASK_VALUE);

/** A bias on scores: 0 where a token may look, and what masks a score where it may not. */
export const maskWhere = (isHidden: Tensor, { dtype = "float32" }: { dtype?: DType } = {}): Tensor => {
  const number = (value: number) => constant(isHidden.node.graph, value, { dtype });
  return where(isHidden, number(maskValue(dtype)), number(0));
};

/** queries (…, t, e), keys (…, s, e), values (…, s, e), bias that fits (…, t, s) → (…, t, e). */
export const attention: Operator<["queries", "keys", "values", "bias?"], { scale: number }> = defineOp({
  name: "attention",
  inputs: ["queries", "keys", "values", "bias?"],
  shape: ({ queries, keys, values, bias }) => {
    const [t, e] = queries.shape.slice(-2);
    const [s, e2] = keys.shape.slice(-2);
    const s2 = values.shape.at(-2);
    const fits = e !== undefined && e2 !== undefined && s2 !== undefined && sameDim(e, e2) && sameDim(s!, s2);
    if (!fits) {
      const shapes = [queries, keys, values].map(({ shape }) => showShape(shape));
      throw shapeError(
        "attention",
        `queries ${shapes[0]}, keys ${shapes[1]} and values ${shapes[2]} do not fit`,
      );
    }
    const batch = broadcastShape(
      "attention",
      [queries, keys, values].map(({ shape }) => shape.slice(0, -2)),
    );
    const scores = [...batch, t!, s!];
    if (bias && !sameShape(broadcastShape("attention", [bias.shape, scores]), scores)) {
      throw shapeError(
        "attention",
        `the bias ${showShape(bias.shape)} is larger than the scores ${showShape(scores)}`,
      );
    }
    const dtype = sameTypes("attention", [queries, keys, values]);
    return { dtype, shape: [...batch, t!, values.shape.at(-1)!] };
  },
  decomposition: ({ queries, keys, values, bias }, { scale }) => {
    const scores = matmul(mul(queries, scale), transposeLast(keys));
    return matmul(softmax(bias ? add(scores, bias) : scores, { axis: -1 }), values);
  },
});

/**
 * Causal self-attention with a cache: writes the new keys and values into the cache, then attends to every cache
 * position up to the query's own.
 *
 * queries, keys, values (b, t, h, e) of the new tokens; pastKeys, pastValues (b, h, capacity, e); start int32 (b), the
 * cache position of each row's first new token; bias (b or 1, h or 1, t, total), added to the scores, where total is
 * the greatest start + t and cache positions beyond it are not looked at. All have one type, but the caches may be int8:
 * numbers are then kept as the nearest whole ones from −128 to 127, and attention sees those.
 *
 * Results: y (b, t, h, e), and the caches with the new tokens in them, which may be the same memory as the past ones.
 */
export const cachedAttention: OperatorOfMany<
  ["queries", "keys", "values", "pastKeys", "pastValues", "start", "bias"],
  { scale: number },
  readonly [y: Tensor, presentKeys: Tensor, presentValues: Tensor]
> = defineOpOfMany({
  name: "cachedAttention",
  inputs: ["queries", "keys", "values", "pastKeys", "pastValues", "start", "bias"],
  shape: (inputs) => {
    const { queries, keys, values, pastKeys, pastValues, start, bias } = inputs;
    const [b, t, h, e] = queries.shape;
    const capacity = pastKeys.shape[2];
    const [b3, h3, t3] = bias.shape;
    const fits =
      queries.shape.length === 4 &&
      sameShape(keys.shape, queries.shape) &&
      sameShape(values.shape, queries.shape) &&
      capacity !== undefined &&
      sameShape(pastKeys.shape, [b!, h!, capacity, e!]) &&
      sameShape(pastValues.shape, pastKeys.shape) &&
      [keys, values, bias].every(({ dtype }) => dtype === queries.dtype) &&
      pastKeys.dtype === pastValues.dtype &&
      (pastKeys.dtype === queries.dtype || (isInt8(pastKeys) && queries.dtype === "float32")) &&
      sameShape(start.shape, [b!]) &&
      start.dtype === "int32" &&
      bias.shape.length === 4 &&
      (b3 === 1 || sameDim(b3!, b!)) &&
      (h3 === 1 || sameDim(h3!, h!)) &&
      sameDim(t3!, t!);
    if (!fits) {
      const shown = Object.entries(inputs).map(
        ([name, { dtype, shape }]) => `${name} ${dtype} ${showShape(shape)}`,
      );
      throw shapeError("cachedAttention", `${shown.join(", ")} do not fit`);
    }
    return [queries, pastKeys, pastValues];
  },
  onnx: (inputs, attributes, types, graph) => {
    const { queries, keys, values, pastKeys, pastValues, start, bias } = inputs;
    const [b, t, h, e] = queries.shape as readonly [Dim, Dim, number, number];
    // The kernel takes heads in steps of 8 numbers.
    if (e % 8 !== 0) return cachedAttention.op.decomposition!(inputs, attributes, types, graph);
    const flat = (x: Tensor) => reshape(x, { shape: [b, t, h * e] });
    const asInt32 = (x: Tensor) => cast(x, { to: "int32" });
    // The kernel counts for itself: the last cache position of every row, and the length of the longest.
    const length = asInt32(dimensions(graph, [t]));
    const last = sub(add(start, length), 1);
    const total = asInt32(dimensions(graph, [bias.shape[3]!]));
    // The kernel's own scales, of whole tensors: 1.
    const one = isInt8(pastKeys) ? constant(graph, [1], { shape: [1] }) : undefined;
    const [y, presentKeys, presentValues] = onnxNodeOfMany(
      "GroupQueryAttention",
      [
        flat(queries),
        flat(keys),
        flat(values),
        pastKeys,
        pastValues,
        last,
        total,
        undefined,
        undefined,
        undefined,
        bias,
        ...(one ? [undefined, one, one] : []),
      ],
      {
        ...{ num_heads: h, kv_num_heads: h, scale: { float: attributes.scale } },
        ...(one && { k_quant_type: "PER_TENSOR", v_quant_type: "PER_TENSOR", kv_cache_bit_width: 8 }),
      },
      [{ dtype: queries.dtype, shape: [b, t, h * e] }, types[1]!, types[2]!],
      microsoft,
    );
    return [reshape(y!, { shape: queries.shape }), presentKeys!, presentValues!];
  },
  decomposition: ({ queries, keys, values, pastKeys, pastValues, start, bias }, { scale }, _, graph) => {
    const [b, t] = queries.shape as readonly [Dim, Dim, Dim, Dim];
    const capacity = pastKeys.shape[2]!;
    const total = bias.shape[3]!;
    const headsFirst = (x: Tensor) => transpose(x, { order: [0, 2, 1, 3] }); // (b, h, t, e)
    // Which new token goes to which cache position; a product with ones and zeros is exact.
    const cachePositions = reshape(iota(graph, capacity), { shape: [1, capacity, 1] });
    const own = add(reshape(start, { shape: [b, 1, 1] }), reshape(iota(graph, t), { shape: [1, 1, t] })); // (b, 1, t)
    const here = cast(equal(cachePositions, own), { to: queries.dtype }); // (b, capacity, t)
    const written = reshape(max(here, { axes: [-1] }), { shape: [b, 1, capacity, 1] });
    const placing = reshape(here, { shape: [b, 1, capacity, t] });
    const rounded = (x: Tensor) => (isInt8(pastKeys) ? toInt8(x) : x);
    const write = (past: Tensor, next: Tensor) =>
      add(
        mul(cast(past, { to: queries.dtype }), sub(1, written)),
        matmul(placing, headsFirst(rounded(next))),
      );
    const presentKeys = write(pastKeys, keys);
    const presentValues = write(pastValues, values);
    const used = (cache: Tensor) => slice(cache, { axis: 2, start: 0, end: total }); // (b, h, total, e)
    const ahead = less(
      reshape(own, { shape: [b, 1, t, 1] }),
      reshape(iota(graph, total), { shape: [1, 1, 1, total] }),
    );
    const causal = add(bias, maskWhere(ahead, { dtype: bias.dtype }));
    const y = attention(headsFirst(queries), used(presentKeys), used(presentValues), causal, { scale });
    const kept = (present: Tensor) => cast(present, { to: pastKeys.dtype });
    return [headsFirst(y), kept(presentKeys), kept(presentValues)];
  },
  aliases: { 1: "pastKeys", 2: "pastValues" },
});

const isInt8 = ({ dtype }: Tensor): boolean => dtype === "int8";

/** The nearest numbers of int8, still as floats. */
function toInt8(x: Tensor): Tensor {
  const whole = round(x);
  const least = where(less(whole, -128), -128, whole);
  return where(less(127, least), 127, least);
}
