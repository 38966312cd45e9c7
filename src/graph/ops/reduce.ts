/** Sums, means and maxima along axes, and the repetition of values, which is the sum's gradient as the sum is its. */

import { onnxNode } from "../backendNode.js";
import { constant } from "../constant.js";
import { defineOp, type Operator } from "../op.js";
import { product, type Shape, sameShape, showShape } from "../size.js";
import { shapeError, type Tensor, type TensorType } from "../tensor.js";
import { broadcastShape, cast, div, equal, mul } from "./elementwise.js";
import { reshape } from "./layout.js";
import { dimensions } from "./sources.js";

interface Reduction {
  /** Counted from 0, or from −1 for the last. */
  readonly axes: readonly number[];
  /** Leaves the axes in place with size 1. */
  readonly keep?: boolean;
}

/** The axes of x counted from 0. @throws OpenFlamingoError `shape` for one that x does not have, or has twice */
export function axesOf(operator: string, x: TensorType, axes: readonly number[]): readonly number[] {
  const counted = axes.map((axis) => {
    const positive = axis < 0 ? axis + x.shape.length : axis;
    if (x.shape[positive] !== undefined) return positive;
    throw shapeError(operator, `${showShape(x.shape)} has no axis ${axis}`);
  });
  if (new Set(counted).size === counted.length) return counted;
  throw shapeError(operator, `the axes ${axes.join(", ")} of ${showShape(x.shape)} are not different ones`);
}

/** The ONNX lowering of a reduction. */
function reduction(type: string, x: Tensor, { axes, keep }: Reduction, y: TensorType): Tensor {
  const list = constant(x.node.graph, axes, { dtype: "int64" });
  // An empty list means no axis here; to ONNX it would mean all of them.
  return onnxNode(type, [x, list], { keepdims: keep ? 1 : 0, noop_with_empty_axes: 1 }, y);
}

const reduced =
  (operator: string) =>
  ({ x }: { x: Tensor }, { axes, keep }: Reduction): TensorType => {
    const gone = axesOf(operator, x, axes);
    const shape = x.shape.flatMap((dim, axis) => (gone.includes(axis) ? (keep ? [1] : []) : [dim]));
    return { dtype: x.dtype, shape };
  };

/** What was reduced, with its axes back in place, so that it broadcasts against x. */
const restored = (small: Tensor, x: Tensor, axes: readonly number[]): Tensor => {
  const gone = axesOf("restored", x, axes);
  return reshape(small, { shape: x.shape.map((dim, axis) => (gone.includes(axis) ? 1 : dim)) });
};

export const sum: Operator<["x"], Reduction> = defineOp({
  name: "sum",
  inputs: ["x"],
  shape: reduced("sum"),
  grad: ({ x, dy }, { axes }) => ({ x: broadcastTo(restored(dy, x, axes), { shape: x.shape }) }),
  onnx: ({ x }, attributes, y) => reduction("ReduceSum", x, attributes, y),
});

/** x is read once, where a product and its sum would write and read another tensor of its size. */
export const sumOfSquares: Operator<["x"], Reduction> = defineOp({
  name: "sumOfSquares",
  inputs: ["x"],
  shape: reduced("sumOfSquares"),
  grad: ({ x, dy }, { axes }) => ({
    x: mul(mul(x, 2), broadcastTo(restored(dy, x, axes), { shape: x.shape })),
  }),
  onnx: ({ x }, attributes, y) =>
    attributes.axes.length === 0 ? mul(x, x) : reduction("ReduceSumSquare", x, attributes, y),
  decomposition: ({ x }, { axes, keep = false }) => sum(mul(x, x), { axes, keep }),
});

export const mean: Operator<["x"], Reduction> = defineOp({
  name: "mean",
  inputs: ["x"],
  shape: reduced("mean"),
  grad: ({ x, dy }, { axes }) => {
    const count = countOf(x, axes);
    return { x: broadcastTo(restored(div(dy, count), x, axes), { shape: x.shape }) };
  },
  onnx: ({ x }, attributes, y) => reduction("ReduceMean", x, attributes, y),
  decomposition: ({ x }, { axes, keep = false }) => div(sum(x, { axes, keep }), countOf(x, axes)),
});

/** How many numbers are reduced to one. */
function countOf(x: Tensor, axes: readonly number[]): number {
  const count = product(axesOf("mean", x, axes).map((axis) => x.shape[axis]!));
  if (typeof count === "number") return count;
  throw shapeError("mean", `the number of values in ${showShape(x.shape)} along ${axes} is not fixed`);
}

export const max: Operator<["x"], Reduction> = defineOp({
  name: "max",
  inputs: ["x"],
  shape: reduced("max"),
  // Equal maxima share the gradient.
  grad: ({ x, y, dy }, { axes }) => {
    const share = cast(equal(x, restored(y, x, axes)), { to: x.dtype });
    return { x: mul(restored(dy, x, axes), div(share, sum(share, { axes, keep: true }))) };
  },
  onnx: ({ x }, attributes, y) => reduction("ReduceMax", x, attributes, y),
});

/** x repeated along missing axes and axes of size 1. */
export const broadcastTo: Operator<["x"], { shape: Shape }> = defineOp({
  name: "broadcastTo",
  inputs: ["x"],
  shape: ({ x }, { shape }) => {
    if (!sameShape(broadcastShape("broadcastTo", [x.shape, shape]), shape)) {
      throw shapeError("broadcastTo", `${showShape(x.shape)} does not fit into ${showShape(shape)}`);
    }
    return { dtype: x.dtype, shape };
  },
  grad: ({ x, dy }) => ({ x: sumTo(dy, x.shape) }),
  onnx: ({ x }, { shape }, y, graph) => onnxNode("Expand", [x, dimensions(graph, shape)], {}, y),
});

/** Undoes a broadcast: sums over the axes that were repeated, so that the result has `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const extra = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, axis) =>
    axis < extra || (shape[axis - extra] === 1 && dim !== 1) ? [axis] : [],
  );
  return reshape(sum(x, { axes, keep: true }), { shape });
}
