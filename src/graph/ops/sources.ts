/** Tensors that come from sizes alone: positions along an axis, and sizes as numbers. */
import { onnxNode } from "../backendNode.js";
import { constant } from "../constant.js";
import type { Dim, Shape } from "../size.js";
import {
  addNode,
  type Graph,
  type Lowering,
  type Op,
  shapeError,
  type Tensor,
  type TensorType,
} from "../tensor.js";
import { add, cast, mul } from "./elementwise.js";

const sourceOp = (name: string, type: (attributes: never) => TensorType, onnx: Lowering): Op => ({
  name,
  inputs: [],
  shape: (_, attributes) => [type(attributes as never)],
  grad: "none",
  onnx,
  decomposition: undefined,
  aliases: {},
});

const iotaOp = sourceOp(
  "iota",
  ({ size }: { size: Dim }) => ({ dtype: "int32", shape: [size] }),
  (_, { size }, [y], graph) => {
    const end = onnxNode("Squeeze", [lengthOf(graph, size as Dim)], {}, { dtype: "int64", shape: [] });
    const zero = constant(graph, 0, { dtype: "int64" });
    const one = constant(graph, 1, { dtype: "int64" });
    return [cast(onnxNode("Range", [zero, end, one], {}, { ...y!, dtype: "int64" }), { to: "int32" })];
  },
);

/** 0, 1, 2, … : int32 (size) */
export const iota = (graph: Graph, size: Dim): Tensor => addNode(graph, iotaOp, [], { size })[0]!;

const dimensionsOp = sourceOp(
  "dimensions",
  ({ dims }: { dims: Shape }) => ({ dtype: "int64", shape: [dims.length] }),
  (_, { dims }, [y], graph) => {
    const lengths = (dims as Shape).map((dim) => lengthOf(graph, dim));
    return [onnxNode("Concat", lengths, { axis: 0 }, y!)];
  },
);

/** Sizes as numbers: int64 (how many). Those that are fixed become a constant. */
export const dimensions = (graph: Graph, dims: Shape): Tensor =>
  dims.every((dim) => typeof dim === "number")
    ? constant(graph, dims, { dtype: "int64" })
    : addNode(graph, dimensionsOp, [], { dims })[0]!;

/** One size as int64 (1): sums and products of the lengths of input axes. */
function lengthOf(graph: Graph, dim: Dim): Tensor {
  if (typeof dim === "number") return constant(graph, [dim], { dtype: "int64" });
  const terms = dim.terms.map(({ coefficient, factors }) => {
    const lengths = factors.map((name) => axisLength(graph, name));
    const isPlain = coefficient === 1 && lengths.length > 0;
    const factor = isPlain ? [] : [constant(graph, [coefficient], { dtype: "int64" })];
    return [...lengths, ...factor].reduce((a, b) => mul(a, b));
  });
  return terms.reduce((a, b) => add(a, b));
}

function axisLength(graph: Graph, name: string): Tensor {
  const where = graph.sizes.get(name);
  if (!where) throw shapeError("dimensions", `no input of ${graph.name} has an axis of size ${name}`);
  const { input, axis } = where;
  const shape = onnxNode("Shape", [input], {}, { dtype: "int64", shape: [input.shape.length] });
  return onnxNode(
    "Gather",
    [shape, constant(graph, [axis], { dtype: "int64" })],
    {},
    { dtype: "int64", shape: [1] },
  );
}

export const sourceOps: readonly Op[] = [iotaOp, dimensionsOp];
