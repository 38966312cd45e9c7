/**
 * A backend node: an instruction of a backend, as plain data. It stands at the leaves of the operators' ONNX lowerings
 * and is never written by a model. The table of operators thereby knows a backend's names, but nothing of its file
 * format.
 */
import type { DType } from "../base/dtypes.js";
import { type Attributes, addNode, type Op, shapeError, type Tensor, type TensorType } from "./tensor.js";

/**
 * What an ONNX attribute can hold. `{ float }` distinguishes 1.0 from 1, which JavaScript cannot; `{ dtype }` is written
 * as ONNX's number for the type.
 */
export type OnnxAttribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly dtype: DType };

export interface OnnxInstruction {
  readonly type: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
  readonly types: readonly TensorType[];
}

const onnxOp: Op = {
  name: "onnx",
  inputs: [], // any number, by position
  shape: (_, attributes) => (attributes as unknown as OnnxInstruction).types,
  grad: "none",
  onnx: undefined,
  decomposition: undefined,
  aliases: {},
};

/** The instruction of a backend node; undefined for all others. */
export const instructionOf = (op: Op, attributes: Attributes): OnnxInstruction | undefined =>
  op === onnxOp ? (attributes as unknown as OnnxInstruction) : undefined;

/** An ONNX node with one result, of the type given. An input that may be left out is undefined. */
export const onnxNode = (
  type: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: OnnxInstruction["attributes"],
  result: TensorType,
  domain = "",
): Tensor => onnxNodeOfMany(type, inputs, attributes, [result], domain)[0]!;

/** An ONNX node with several results. */
export function onnxNodeOfMany(
  type: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: OnnxInstruction["attributes"],
  results: readonly TensorType[],
  domain = "",
): readonly Tensor[] {
  const graph = inputs.find((each) => each !== undefined)?.node.graph;
  if (!graph) throw shapeError(type, "a backend node needs an input");
  // Inputs that are absent at the end are left off: ONNX Runtime's fusions crash on empty names there.
  const last = inputs.findLastIndex((each) => each !== undefined);
  const types = results.map(({ dtype, shape }) => ({ dtype, shape }));
  return addNode(graph, onnxOp, inputs.slice(0, last + 1), { type, domain, attributes, types });
}

/** Kernels that ONNX Runtime adds to ONNX's own. */
export const microsoft = "com.microsoft";
