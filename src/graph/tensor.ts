/**
 * The graph and its parts. A graph is a list of nodes in the order in which they can be computed; a node has an
 * operator, inputs and attributes; a tensor is one result of a node, with its type and shape. Nothing is computed
 * here: a model is a function that writes nodes, and a lowering (`src/onnx`) makes of them what a backend runs.
 */

import type { DType } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import { type PartType, partsOf, type QuantizedFormat, type Span, type WeightPart } from "./format.js";
import { type Dim, namedSize, type Shape, sameShape, showDim, showShape, signOf } from "./size.js";

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Tensor extends TensorType {
  readonly node: Node;
  /** Which of the node's results. */
  readonly index: number;
}

/** Numbers, texts, lists and plain objects of them: as JSON, they tell one node from another. */
export type Attributes = Readonly<Record<string, unknown>>;

/** A node's inputs by the names that its operator gives them; an optional one may be absent. */
export type NamedTensors = Readonly<Record<string, Tensor | undefined>>;

/** All that is known of an operator, with its types erased; `defineOp` makes entries with them. */
export interface Op {
  readonly name: string;
  readonly inputs: readonly string[];
  shape(inputs: NamedTensors, attributes: Attributes): readonly TensorType[];
  readonly grad:
    | ((
        inputs: NamedTensors,
        attributes: Attributes,
        y: readonly Tensor[],
        dy: readonly Tensor[],
      ) => NamedTensors)
    | "none" // the result does not vary smoothly: comparisons, positions
    | undefined; // differentiate the decomposition
  readonly onnx: Lowering | undefined;
  readonly decomposition: Lowering | undefined;
  /** Results that may be the memory of an input: result → name of the input. */
  readonly aliases: Readonly<Record<number, string>>;
}

/** An operator by other nodes, in the graph of its inputs. */
export type Lowering = (
  inputs: NamedTensors,
  attributes: Attributes,
  types: readonly TensorType[],
  graph: Graph,
) => readonly Tensor[];

export interface Node {
  readonly id: number;
  readonly graph: Graph;
  readonly op: Op;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Attributes;
  readonly results: readonly Tensor[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: Node[];
  readonly inputs: Map<string, Tensor>;
  readonly weights: Map<string, Tensor>;
  readonly outputs: Map<string, Tensor>;
  /** Outputs that may be written into the memory of an input: output → input. */
  readonly donated: Map<string, string>;
  /** Every named size is an axis of some input: that is how it gets its value. */
  readonly sizes: Map<string, { input: Tensor; axis: number }>;
  /** Nodes by operator, inputs and attributes: the same expression is the same node. */
  readonly known: Map<string, Node>;
}

export const createGraph = (name: string): Graph => ({
  name,
  nodes: [],
  inputs: new Map(),
  weights: new Map(),
  outputs: new Map(),
  donated: new Map(),
  sizes: new Map(),
  known: new Map(),
});

/** Attributes as text: a node that is written again, in another graph, keeps the object. */
const textOf = new WeakMap<Attributes, string>();

function keyOf(op: Op, inputs: readonly (Tensor | undefined)[], attributes: Attributes): string {
  const text = textOf.get(attributes) ?? JSON.stringify(attributes);
  textOf.set(attributes, text);
  return `${op.name} ${inputs.map((x) => x && `${x.node.id}.${x.index}`).join()} ${text}`;
}

/**
 * Writes a node, or finds the one that says the same. Operators have no effects, so equal nodes are equal values.
 *
 * @param known the types of its results, where they are known from an equal node of another graph
 */
export function addNode(
  graph: Graph,
  op: Op,
  inputs: readonly (Tensor | undefined)[],
  attributes: Attributes,
  known?: readonly TensorType[],
): readonly Tensor[] {
  const key = keyOf(op, inputs, attributes);
  const same = graph.known.get(key);
  if (same) return same.results;

  for (const input of inputs) {
    if (input && input.node.graph !== graph) {
      throw shapeError(op.name, `an input comes from graph ${input.node.graph.name}, not from ${graph.name}`);
    }
  }
  const types = known ?? op.shape(namedInputs(op, inputs), attributes);
  for (const { shape } of known ? [] : types) {
    const negative = shape.find((dim) => signOf(dim) === "negative");
    if (negative !== undefined) {
      throw shapeError(op.name, `the result ${showShape(shape)} has the negative size ${showDim(negative)}`);
    }
  }
  const results: Tensor[] = [];
  const node: Node = { id: graph.nodes.length, graph, op, inputs, attributes, results };
  types.forEach(({ dtype, shape }, index) => {
    results.push({ node, index, dtype, shape });
  });
  graph.nodes.push(node);
  graph.known.set(key, node);
  if (op === inputOp) registerInput(graph, results[0]!);
  if (op === weightOp) graph.weights.set(nameOf(node), results[0]!);
  return results;
}

/** Inputs by position as inputs by name. */
export const namedInputs = (op: Op, inputs: readonly (Tensor | undefined)[]): NamedTensors =>
  Object.fromEntries(op.inputs.map((name, i) => [name, inputs[i]]));

/** What a source is called: an input by its name, a weight by its name in the checkpoint. */
export const nameOf = (node: Node): string => node.attributes.called as string;

function registerInput(graph: Graph, tensor: Tensor): void {
  graph.inputs.set(nameOf(tensor.node), tensor);
  tensor.shape.forEach((dim, axis) => {
    const name = typeof dim === "number" ? undefined : showDim(dim);
    if (name && /^\w+$/.test(name) && !graph.sizes.has(name)) graph.sizes.set(name, { input: tensor, axis });
  });
}

const source = (name: string): Op => ({
  name,
  inputs: [],
  shape: (_, attributes) => [attributes as unknown as TensorType],
  grad: "none",
  onnx: undefined,
  decomposition: undefined,
  aliases: {},
});

const inputOp = source("input");
const weightOp = source("weight");
export const constantOp: Op = {
  ...source("constant"),
  shape: (_, { dtype, shape }) => [{ dtype: dtype as DType, shape: shape as Shape }],
};

/** The operators that have no inputs and stand for what a graph is given. */
export const isSource = (op: Op): boolean => op === inputOp || op === weightOp || op === constantOp;
export const isWeight = (op: Op): boolean => op === weightOp;
export const isConstant = (op: Op): boolean => op === constantOp;

/**
 * A tensor that each run is given.
 *
 * @param shape numbers, sizes, or names: `["b", "t", 64]`
 * @throws OpenFlamingoError `shape` for a second input of this name with another type
 */
export function input(graph: Graph, name: string, dtype: DType, shape: readonly (Dim | string)[]): Tensor {
  const dims = shape.map((dim) => (typeof dim === "string" ? namedSize(dim) : dim));
  return declare(graph, graph.inputs, inputOp, name, { dtype, shape: dims });
}

/**
 * A tensor of the checkpoint, by the name that it has there. Asked for twice, it is the same tensor.
 *
 * @param from the checkpoint's own shape, where it is another way to see the same numbers
 */
export function weight(
  graph: Graph,
  name: string,
  shape: readonly number[],
  { dtype = "float32", from = shape }: { dtype?: DType; from?: readonly number[] } = {},
): Tensor {
  const called = from.join() === shape.join() ? name : `${name}→${shape.join("x")}`;
  return declare(graph, graph.weights, weightOp, called, { dtype, shape, name, from });
}

/** The parts of a tensor (n, k) of the checkpoint that is kept in few bits, span by span. */
export function weightParts(
  graph: Graph,
  name: string,
  from: readonly [number, number],
  format: QuantizedFormat,
): readonly { readonly span: Span; readonly values: Tensor; readonly scales: Tensor }[] {
  const tensorOf = ({ name: called, dtype, shape, part }: PartType) =>
    declare(graph, graph.weights, weightOp, called, { dtype, shape, name, from, part });
  return partsOf(name, from, format).map(({ span, values, scales }) => ({
    ...{ span, values: tensorOf(values), scales: tensorOf(scales) },
  }));
}

/** What a weight is in the checkpoint, and which part of it. */
export interface WeightOrigin {
  readonly name: string;
  readonly from: readonly number[];
  readonly part?: WeightPart;
}

export const originOf = ({ attributes }: Node): WeightOrigin => attributes as unknown as WeightOrigin;

function declare(
  graph: Graph,
  table: Map<string, Tensor>,
  op: Op,
  name: string,
  attributes: Attributes & TensorType,
) {
  const known = table.get(name);
  if (known) {
    if (known.dtype === attributes.dtype && sameShape(known.shape, attributes.shape)) return known;
    throw shapeError(
      op.name,
      `${name} is ${known.dtype} ${showShape(known.shape)} and also ${attributes.dtype} ${showShape(attributes.shape)}`,
    );
  }
  requireFree(graph, op.name, name);
  return addNode(graph, op, [], { ...attributes, called: name })[0]!;
}

function requireFree({ inputs, weights, outputs }: Graph, operator: string, name: string): void {
  const taken = [inputs, weights, outputs].some((table) => table.has(name));
  if (taken) throw shapeError(operator, `the name ${name} is taken`);
}

/**
 * Names a result.
 *
 * @param into the input in whose memory it may be written, of the same type; nothing may read that input afterwards
 * @throws OpenFlamingoError `shape` when the name is taken, or there is no such input of this type
 */
export function output(graph: Graph, name: string, tensor: Tensor, { into }: { into?: string } = {}): void {
  requireFree(graph, "output", name);
  if (into !== undefined) {
    const given = graph.inputs.get(into);
    if (given?.dtype !== tensor.dtype || !sameShape(given.shape, tensor.shape)) {
      const what = `${name} is ${tensor.dtype} ${showShape(tensor.shape)}`;
      throw shapeError("output", `${what}, and there is no input ${into} of this type`);
    }
    graph.donated.set(name, into);
  }
  graph.outputs.set(name, tensor);
}

/** An error of a shape rule, with the line of the model that is wrong. */
export function shapeError(operator: string, what: string): OpenFlamingoError {
  const frames = new Error().stack?.split("\n").slice(1) ?? [];
  const folder = frames[0]?.match(/[^\s(@]*(?=tensor\.)/)?.[0]; // the language's own, as frames write it
  const callers = frames.filter((frame) => folder && !frame.includes(folder));
  const places = callers.flatMap((frame) => frame.match(/([\w.-]+[\\/][\w.-]+:\d+):\d+\)?$/)?.[1] ?? []);
  const place = places[0]; // not the first frame: that may be a call inside of JavaScript itself
  return new OpenFlamingoError("shape", `${operator}: ${what}${place ? ` (at ${place})` : ""}`, {
    hint: "Look at the line named. Of a model that came from files: does its configuration belong to its weights?",
  });
}
