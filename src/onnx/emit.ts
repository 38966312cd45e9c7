/**
 * An ONNX file from a lowered graph, as bytes. Field numbers are those of onnx.proto; its weights are declared by
 * `declareWeights`.
 */
import { type DType, onnxTypes } from "../base/dtypes.js";
import { type Field, message } from "../base/protobuf.js";
import {
  bytesOfConstant,
  type Graph,
  instructionOf,
  isConstant,
  type Node,
  nameOf,
  type OnnxAttribute,
  type Shape,
  showDim,
  type Tensor,
} from "../graph/index.js";

/** Opset 18 is the oldest with all that is used (reductions with axes as an input, Split with `num_outputs`). */
const opset = 18;

/** @param lowered a graph of backend nodes only, as `lower` makes it */
export function emit(lowered: Graph): Uint8Array {
  const names = valueNames(lowered);
  const nodes = lowered.nodes.filter((node) => instructionOf(node.op, node.attributes));
  const constants = lowered.nodes.filter((node) => isConstant(node.op));
  const copies = [...lowered.outputs].filter(([name, tensor]) => names.get(tensor) !== name);

  const graph = message([
    ...nodes.map((node): Field => [1, emitNode(node, names)]),
    ...copies.map(
      ([name, tensor]): Field => [
        1,
        message([
          [1, names.get(tensor)!],
          [2, name],
          [4, "Identity"],
        ]),
      ],
    ),
    [2, lowered.name],
    ...constants.map((node): Field => [5, emitConstant(node, names)]),
    ...[...lowered.inputs].map(([name, tensor]): Field => [11, valueInfo(name, tensor)]),
    ...[...lowered.outputs].map(([name, tensor]): Field => [12, valueInfo(name, tensor)]),
  ]);
  const opsetOf = (domain: string, version: number) =>
    message([
      [1, domain],
      [2, version],
    ]);
  return message([
    [1, 8], // version of the file format
    [2, "openflamingo"],
    [7, graph],
    [8, opsetOf("", opset)],
    [8, opsetOf("com.microsoft", 1)],
  ]);
}

/** Sources keep their names; a result that is an output takes the output's name, so that nothing is copied. */
function valueNames(graph: Graph): ReadonlyMap<Tensor, string> {
  const names = new Map<Tensor, string>();
  for (const node of graph.nodes) {
    for (const result of node.results) {
      const named = !instructionOf(node.op, node.attributes) && !isConstant(node.op);
      names.set(result, named ? nameOf(node) : `%${node.id}.${result.index}`);
    }
  }
  for (const [name, tensor] of graph.outputs) {
    if (instructionOf(tensor.node.op, tensor.node.attributes)) names.set(tensor, name);
  }
  return names;
}

function emitNode(node: Node, names: ReadonlyMap<Tensor, string>): Uint8Array {
  const { type, domain, attributes } = instructionOf(node.op, node.attributes)!;
  return message([
    ...node.inputs.map((input): Field => [1, input ? names.get(input)! : ""]),
    ...node.results.map((result): Field => [2, names.get(result)!]),
    [3, `${type}.${node.id}`],
    [4, type],
    ...Object.entries(attributes).map(([name, value]): Field => [5, emitAttribute(name, value)]),
    [7, domain],
  ]);
}

function emitAttribute(name: string, value: OnnxAttribute): Uint8Array {
  if (typeof value === "object" && "dtype" in value) return emitAttribute(name, onnxTypes[value.dtype]);
  if (typeof value === "number")
    return message([
      [1, name],
      [3, value],
      [20, 2],
    ]);
  if (typeof value === "string")
    return message([
      [1, name],
      [4, value],
      [20, 3],
    ]);
  if ("float" in value)
    return message([
      [1, name],
      [2, value],
      [20, 1],
    ]);
  return message([[1, name], ...value.map((each): Field => [8, each]), [20, 7]]);
}

function emitConstant(node: Node, names: ReadonlyMap<Tensor, string>): Uint8Array {
  const [result] = node.results as readonly [Tensor];
  return message([
    ...result.shape.map((dim): Field => [1, dim as number]),
    [2, onnxTypes[result.dtype]],
    [8, names.get(result)!],
    [9, bytesOfConstant(node)],
  ]);
}

function valueInfo(name: string, { dtype, shape }: { dtype: DType; shape: Shape }): Uint8Array {
  const dims = message(
    shape.map((dim): Field => [1, message([typeof dim === "number" ? [1, dim] : [2, showDim(dim)]])]),
  );
  return message([
    [1, name],
    [
      2,
      message([
        [
          1,
          message([
            [1, onnxTypes[dtype]],
            [2, dims],
          ]),
        ],
      ]),
    ],
  ]);
}
