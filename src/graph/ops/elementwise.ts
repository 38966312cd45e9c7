/**
 * Operators that work on each number by itself: arithmetic, functions, comparisons and choice. Inputs of unequal
 * shapes are broadcast as in NumPy: axes are compared from the last, and a missing axis or one of size 1 is repeated.
 */
import type { DType } from "../../base/dtypes.js";
import { onnxNode } from "../backendNode.js";
import { defineOp, type Operator } from "../op.js";
import { type Shape, sameDim, showShape } from "../size.js";
import { shapeError, type Tensor, type TensorType } from "../tensor.js";

/** The shape that all of them fit into. */
export function broadcastShape(operator: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((dim) => dim !== 1);
    const [first = 1, ...others] = dims;
    if (others.every((dim) => sameDim(dim, first))) return first;
    throw shapeError(
      operator,
      `${shapes.map(showShape).join(" and ")} do not fit each other on axis ${axis}`,
    );
  });
}

/** The type that all of them have. */
export function sameTypes(operator: string, tensors: readonly Tensor[]): DType {
  const [first, ...others] = tensors;
  const other = others.find(({ dtype }) => dtype !== first!.dtype);
  if (other) throw shapeError(operator, `one input is ${first!.dtype}, another ${other.dtype}`);
  return first!.dtype;
}

const broadcast =
  (operator: string) =>
  ({ a, b }: { a: Tensor; b: Tensor }): TensorType => ({
    dtype: sameTypes(operator, [a, b]),
    shape: broadcastShape(operator, [a.shape, b.shape]),
  });

const compared =
  (operator: string) =>
  (inputs: { a: Tensor; b: Tensor }): TensorType => ({
    ...broadcast(operator)(inputs),
    dtype: "bool",
  });

export const add: Operator<["a", "b"]> = defineOp({
  name: "add",
  inputs: ["a", "b"],
  shape: broadcast("add"),
  grad: ({ dy }) => ({ a: dy, b: dy }),
  onnx: ({ a, b }, _, y) => onnxNode("Add", [a, b], {}, y),
});

export const sub: Operator<["a", "b"]> = defineOp({
  name: "sub",
  inputs: ["a", "b"],
  shape: broadcast("sub"),
  grad: ({ dy }) => ({ a: dy, b: neg(dy) }),
  onnx: ({ a, b }, _, y) => onnxNode("Sub", [a, b], {}, y),
});

export const mul: Operator<["a", "b"]> = defineOp({
  name: "mul",
  inputs: ["a", "b"],
  shape: broadcast("mul"),
  grad: ({ a, b, dy }) => ({ a: mul(dy, b), b: mul(dy, a) }),
  onnx: ({ a, b }, _, y) => onnxNode("Mul", [a, b], {}, y),
});

export const div: Operator<["a", "b"]> = defineOp({
  name: "div",
  inputs: ["a", "b"],
  shape: broadcast("div"),
  grad: ({ b, y, dy }) => ({ a: div(dy, b), b: neg(div(mul(dy, y), b)) }),
  onnx: ({ a, b }, _, y) => onnxNode("Div", [a, b], {}, y),
});

export const neg: Operator<["x"]> = defineOp({
  name: "neg",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ dy }) => ({ x: neg(dy) }),
  onnx: ({ x }, _, y) => onnxNode("Neg", [x], {}, y),
});

export const exp: Operator<["x"]> = defineOp({
  name: "exp",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ y, dy }) => ({ x: mul(dy, y) }),
  onnx: ({ x }, _, y) => onnxNode("Exp", [x], {}, y),
});

/** The natural logarithm. */
export const log: Operator<["x"]> = defineOp({
  name: "log",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ x, dy }) => ({ x: div(dy, x) }),
  onnx: ({ x }, _, y) => onnxNode("Log", [x], {}, y),
});

export const sqrt: Operator<["x"]> = defineOp({
  name: "sqrt",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ y, dy }) => ({ x: div(dy, mul(2, y)) }),
  onnx: ({ x }, _, y) => onnxNode("Sqrt", [x], {}, y),
});

/** The nearest whole number; of two that are equally near, the even one. */
export const round: Operator<["x"]> = defineOp({
  name: "round",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: "none",
  onnx: ({ x }, _, y) => onnxNode("Round", [x], {}, y),
});

/** The cosine of an angle in radians. */
export const cos: Operator<["x"]> = defineOp({
  name: "cos",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ x, dy }) => ({ x: neg(mul(dy, sin(x))) }),
  onnx: ({ x }, _, y) => onnxNode("Cos", [x], {}, y),
});

/** The sine of an angle in radians. */
export const sin: Operator<["x"]> = defineOp({
  name: "sin",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ x, dy }) => ({ x: mul(dy, cos(x)) }),
  onnx: ({ x }, _, y) => onnxNode("Sin", [x], {}, y),
});

export const tanh: Operator<["x"]> = defineOp({
  name: "tanh",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ y, dy }) => ({ x: mul(dy, sub(1, mul(y, y))) }),
  onnx: ({ x }, _, y) => onnxNode("Tanh", [x], {}, y),
});

/** 1 / (1 + e^−x) */
export const sigmoid: Operator<["x"]> = defineOp({
  name: "sigmoid",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ y, dy }) => ({ x: mul(dy, mul(y, sub(1, y))) }),
  onnx: ({ x }, _, y) => onnxNode("Sigmoid", [x], {}, y),
});

/** The error function, 2/√π ∫₀ˣ e^−s² ds. */
export const erf: Operator<["x"]> = defineOp({
  name: "erf",
  inputs: ["x"],
  shape: ({ x }) => x,
  grad: ({ x, dy }) => ({ x: mul(dy, mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x))))) }),
  onnx: ({ x }, _, y) => onnxNode("Erf", [x], {}, y),
});

export const equal: Operator<["a", "b"]> = defineOp({
  name: "equal",
  inputs: ["a", "b"],
  shape: compared("equal"),
  grad: "none",
  onnx: ({ a, b }, _, y) => onnxNode("Equal", [a, b], {}, y),
});

/** a < b */
export const less: Operator<["a", "b"]> = defineOp({
  name: "less",
  inputs: ["a", "b"],
  shape: compared("less"),
  grad: "none",
  onnx: ({ a, b }, _, y) => onnxNode("Less", [a, b], {}, y),
});

/** a where `condition` holds, else b. What is not chosen gets no gradient, whatever its value. */
export const where: Operator<["condition", "a", "b"]> = defineOp({
  name: "where",
  inputs: ["condition", "a", "b"],
  shape: ({ condition, a, b }) => {
    if (condition.dtype !== "bool")
      throw shapeError("where", `the condition is ${condition.dtype}, not bool`);
    return {
      dtype: sameTypes("where", [a, b]),
      shape: broadcastShape("where", [condition.shape, a.shape, b.shape]),
    };
  },
  grad: ({ condition, dy }) => ({ a: where(condition, dy, 0), b: where(condition, 0, dy) }),
  onnx: ({ condition, a, b }, _, y) => onnxNode("Where", [condition, a, b], {}, y),
  aliases: { 0: "b" },
});

/** The same numbers in another type; from bool, true is 1. */
export const cast: Operator<["x"], { to: DType }> = defineOp({
  name: "cast",
  inputs: ["x"],
  shape: ({ x }, { to }) => ({ dtype: to, shape: x.shape }),
  grad: ({ x, dy }) => (x.dtype.includes("float") ? { x: cast(dy, { to: x.dtype }) } : {}),
  onnx: ({ x }, { to }, y) => onnxNode("Cast", [x], { to: { dtype: to } }, y),
});
