/** Operators that move numbers without changing them: other shapes, other orders, parts and joins. */

import { onnxNode, onnxNodeOfMany } from "../backendNode.js";
import { constant } from "../constant.js";
import { defineOp, defineOpOfMany, type Operator, type OperatorOfMany } from "../op.js";
import {
  type Dim,
  minus,
  over,
  plus,
  product,
  type Shape,
  sameDim,
  showDim,
  showShape,
  signOf,
} from "../size.js";
import { type Graph, shapeError, type Tensor, type TensorType } from "../tensor.js";
import { sameTypes } from "./elementwise.js";
import { dimensions } from "./sources.js";

const axisOf = (operator: string, x: TensorType, axis: number): number => {
  const positive = axis < 0 ? axis + x.shape.length : axis;
  if (x.shape[positive] === undefined)
    throw shapeError(operator, `${showShape(x.shape)} has no axis ${axis}`);
  return positive;
};

/** The same numbers in the same order, in another shape. */
export const reshape: Operator<["x"], { shape: Shape }> = defineOp({
  name: "reshape",
  inputs: ["x"],
  shape: ({ x }, { shape }) => {
    if (!sameDim(product(x.shape), product(shape))) {
      throw shapeError(
        "reshape",
        `${showShape(x.shape)} does not hold as many numbers as ${showShape(shape)}`,
      );
    }
    return { dtype: x.dtype, shape };
  },
  grad: ({ x, dy }) => ({ x: reshape(dy, { shape: x.shape }) }),
  onnx: ({ x }, { shape }, y, graph) => onnxNode("Reshape", [x, targetShape(graph, x.shape, shape)], {}, y),
});

/**
 * ONNX takes 0 for "as it was on this axis" and −1 for "what is left": with them most targets are constants, even
 * where sizes are known only at run time.
 */
function targetShape(graph: Graph, from: Shape, to: Shape): Tensor {
  const dims = to.map((dim, axis) =>
    typeof dim === "number" ? dim : from[axis] !== undefined && sameDim(from[axis], dim) ? 0 : dim,
  );
  const unknown = dims.filter((dim) => typeof dim !== "number");
  return unknown.length <= 1
    ? constant(
        graph,
        dims.map((dim) => (typeof dim === "number" ? dim : -1)),
        { dtype: "int64" },
      )
    : dimensions(graph, to);
}

/** Axis i of the result is axis `order[i]` of x. */
export const transpose: Operator<["x"], { order: readonly number[] }> = defineOp({
  name: "transpose",
  inputs: ["x"],
  shape: ({ x }, { order }) => {
    if ([...order].sort((a, b) => a - b).join() !== x.shape.map((_, axis) => axis).join()) {
      throw shapeError("transpose", `${order} is no order of the axes of ${showShape(x.shape)}`);
    }
    return { dtype: x.dtype, shape: order.map((axis) => x.shape[axis]!) };
  },
  grad: ({ dy }, { order }) => ({ x: transpose(dy, { order: order.map((_, axis) => order.indexOf(axis)) }) }),
  onnx: ({ x }, { order }, y) => onnxNode("Transpose", [x], { perm: order }, y),
});

/** Swaps the last two axes: Xᵀ of every matrix. */
export function transposeLast(x: Tensor): Tensor {
  const order = x.shape.map((_, axis) => axis);
  order.push(...order.splice(-2).reverse());
  return transpose(x, { order });
}

/** The lengths before, in and after a part of an axis. */
const lengthsOf = (dim: Dim, start: Dim, end: Dim): readonly [Dim, Dim, Dim] => [
  start,
  minus(end, start),
  minus(dim, end),
];

/** Part of one axis: from `start` up to, not including, `end`. */
export const slice: Operator<["x"], { axis: number; start: Dim; end: Dim }> = defineOp({
  name: "slice",
  inputs: ["x"],
  shape: ({ x }, { axis, start, end }) => {
    const at = axisOf("slice", x, axis);
    const lengths = lengthsOf(x.shape[at]!, start, end);
    if (lengths.some((length) => signOf(length) === "negative")) {
      const range = `${showDim(start)} to ${showDim(end)}`;
      throw shapeError("slice", `${range} is no part of axis ${axis} of ${showShape(x.shape)}`);
    }
    return { dtype: x.dtype, shape: x.shape.with(at, lengths[1]) };
  },
  grad: ({ x, dy }, { axis, start, end }) => {
    const dim = x.shape[axisOf("slice", x, axis)]!;
    return { x: pad(dy, { axis, before: start, after: minus(dim, end) }) };
  },
  onnx: ({ x }, { axis, start, end }, y, graph) => {
    const at = axisOf("slice", x, axis);
    const lengths = lengthsOf(x.shape[at]!, start, end);
    if (lengths.some((length) => signOf(length) === "unknown")) {
      // Whether this is a part of the axis is decided when it runs: Split rejects what Slice would cut short.
      const types = lengths.map((length) => ({ dtype: x.dtype, shape: x.shape.with(at, length) }));
      return onnxNodeOfMany("Split", [x, dimensions(graph, lengths)], { axis: at }, types)[1]!;
    }
    const axes = constant(graph, [at], { dtype: "int64" });
    return onnxNode("Slice", [x, dimensions(graph, [start]), dimensions(graph, [end]), axes], {}, y);
  },
});

/** Zeros before and after, along one axis. */
export const pad: Operator<["x"], { axis: number; before: Dim; after: Dim }> = defineOp({
  name: "pad",
  inputs: ["x"],
  shape: ({ x }, { axis, before, after }) => {
    const at = axisOf("pad", x, axis);
    if ([before, after].some((length) => signOf(length) === "negative")) {
      throw shapeError("pad", `${showDim(before)} and ${showDim(after)} are not both lengths`);
    }
    return { dtype: x.dtype, shape: x.shape.with(at, plus(plus(before, x.shape[at]!), after)) };
  },
  grad: ({ x, dy }, { axis, before }) => {
    const dim = x.shape[axisOf("pad", x, axis)]!;
    return { x: slice(dy, { axis, start: before, end: plus(before, dim) }) };
  },
  onnx: ({ x }, { axis, before, after }, y, graph) => {
    const zero = constant(graph, 0, { dtype: x.dtype });
    const axes = constant(graph, [axisOf("pad", x, axis)], { dtype: "int64" });
    return onnxNode("Pad", [x, dimensions(graph, [before, after]), zero, axes], {}, y);
  },
});

/** Several tensors, one after the other along an axis. */
export function concat(parts: readonly Tensor[], { axis }: { axis: number }): Tensor {
  const [first, ...others] = parts;
  if (!first) throw shapeError("concat", "nothing to join");
  // Two at a time: an operator has a fixed number of inputs, and models join two.
  return others.reduce((joined, next) => concatTwo(joined, next, { axis }), first);
}

export const concatTwo: Operator<["a", "b"], { axis: number }> = defineOp({
  name: "concat",
  inputs: ["a", "b"],
  shape: ({ a, b }, { axis }) => {
    const at = axisOf("concat", a, axis);
    const fits =
      a.shape.length === b.shape.length && a.shape.every((dim, i) => i === at || sameDim(dim, b.shape[i]!));
    if (!fits)
      throw shapeError("concat", `${showShape(a.shape)} and ${showShape(b.shape)} differ off axis ${axis}`);
    const dtype = sameTypes("concat", [a, b]);
    return { dtype, shape: a.shape.with(at, plus(a.shape[at]!, b.shape[at]!)) };
  },
  grad: ({ a, b, dy }, { axis }) => {
    const at = axisOf("concat", a, axis);
    const middle = a.shape[at]!;
    return {
      a: slice(dy, { axis: at, start: 0, end: middle }),
      b: slice(dy, { axis: at, start: middle, end: plus(middle, b.shape[at]!) }),
    };
  },
  onnx: ({ a, b }, { axis }, y) => onnxNode("Concat", [a, b], { axis: axisOf("concat", a, axis) }, y),
});

/** `parts` equal pieces along an axis. */
export const split: OperatorOfMany<["x"], { parts: number; axis: number }> = defineOpOfMany({
  name: "split",
  inputs: ["x"],
  shape: ({ x }, { parts, axis }) => {
    const at = axisOf("split", x, axis);
    const piece = over(x.shape[at]!, parts);
    if (piece === undefined) {
      throw shapeError(
        "split",
        `axis ${axis} of ${showShape(x.shape)} (${showDim(x.shape[at]!)}) is not ${parts} equal parts`,
      );
    }
    return Array.from({ length: parts }, () => ({ dtype: x.dtype, shape: x.shape.with(at, piece) }));
  },
  grad: ({ dy }, { axis }) => ({ x: concat(dy, { axis }) }),
  onnx: ({ x }, { parts, axis }, y) =>
    onnxNodeOfMany("Split", [x], { axis: axisOf("split", x, axis), num_outputs: parts }, y),
});

/** `T` as often as `N` says; a list where `N` is not one number. */
type TupleOf<T, N extends number, All extends readonly T[] = readonly []> = number extends N
  ? readonly T[]
  : All["length"] extends N
    ? All
    : TupleOf<T, N, readonly [...All, T]>;

/** Equal pieces along an axis, as a tuple: `const [keys, values] = splitInto(x, 2, { axis: -1 })`. */
export const splitInto = <const N extends number>(
  x: Tensor,
  parts: N,
  { axis }: { axis: number },
): TupleOf<Tensor, N> => split(x, { parts, axis }) as TupleOf<Tensor, N>;
