/**
 * A program that learns: one with a loss, in which what is trained is an input, and the gradients are added to those so
 * far, in their memory.
 */
import {
  add,
  type Graph,
  grad,
  input,
  mul,
  type Node,
  output,
  reshape,
  rowsName,
  type Segment,
  type Tensor,
} from "../graph/index.js";
import { type Params, params } from "../models/layers.js";
import type { TrainedTensors } from "./trainedTensors.js";

/** The program's outputs of this name and its input of the other: the loss (1), and what its gradients are multiplied with (1). */
export const lossOutput = "loss";
export const scaleInput = "scale";

/** The name of the input and of the output in which the gradients of a trained tensor add up. */
export const gradientName = (name: string): string => `gradient of ${name}`;
export const nextGradientName = (name: string): string => `next gradient of ${name}`;

/** The name of the graph's input for a trained tensor. */
export const inputOf = ({ name, rows }: { name: string; rows?: readonly number[] | undefined }): string =>
  rows ? rowsName(name) : name;

/** Parameters that are all trained: inputs of the graph. `named` fills with their names and shapes. */
export function trainedParameters(graph: Graph): {
  readonly p: Params;
  readonly named: ReadonlyMap<string, readonly number[]>;
} {
  const named = new Map<string, readonly number[]>();
  const p = params(graph, "", (g, name, shape) => {
    named.set(name, shape);
    return input(g, name, "float32", shape);
  });
  return { p, named };
}

/** A tensor that a graph was given as an output, which it is no longer. */
export function takeOutput({ outputs }: Graph, name: string): Tensor | undefined {
  const tensor = outputs.get(name);
  outputs.delete(name);
  return tensor;
}

/**
 * Adds the gradients of a graph's output "loss" (1) with respect to all that is trained. New inputs: scale (1), of the
 * gradients, and the gradients so far. New outputs: these with those of this run, in their memory. The loss becomes a
 * scalar, and is not scaled; it and all other outputs come behind the gradients.
 *
 * @param parts of the forward pass, from one tensor to another, whose ends' gradients are wanted as well
 * @returns the parts with those gradients, as `recompute` takes them
 */
export function addGradients(
  graph: Graph,
  trained: TrainedTensors,
  parts: readonly Omit<Segment, "endGradient">[] = [],
): readonly Segment[] {
  const loss = graph.outputs.get(lossOutput)!;
  const scaled = reshape(mul(loss, input(graph, scaleInput, "float32", [1])), { shape: [] });
  const targets = trained.tensors.map((each) => graph.inputs.get(inputOf(each))!);
  const found = grad(scaled, [...targets, ...parts.map(({ end }) => end)]);
  const segments = parts.map((each, i) => ({ ...each, endGradient: found[targets.length + i]! }));
  giveGradients(graph, trained, found, segments);
  return segments;
}

/**
 * The outputs, those that are known last first, and the loss at the end: a backend begins with what stands last, and does
 * on the way only what that needs. So the gradients of a block's weights are made, and what they are made of is let go,
 * before the gradients of earlier blocks; in the other order all of it would be kept until the end.
 */
function giveGradients(
  graph: Graph,
  { tensors }: TrainedTensors,
  gradients: readonly Tensor[],
  segments: readonly Segment[],
): void {
  const before = [...graph.outputs];
  for (const [name] of before) graph.outputs.delete(name);
  /** The last of the segments' gradients that a node needs, by its number. */
  const needs = new Map<Node, number>();
  const ends = new Set(segments.map(({ endGradient }) => endGradient.node));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((each) => (each ? (needs.get(each.node) ?? 0) : 0));
    needs.set(node, ends.has(node) ? node.id : Math.max(0, ...inputs));
  }
  const inOrder = tensors
    .map((tensor, i) => ({ ...tensor, gradient: gradients[i]! }))
    .sort(
      ({ gradient: { node: a } }, { gradient: { node: b } }) => needs.get(b)! - needs.get(a)! || b.id - a.id,
    );
  for (const { name, shape, gradient } of inOrder) {
    const soFar = input(graph, gradientName(name), "float32", shape);
    output(graph, nextGradientName(name), add(soFar, gradient), { into: gradientName(name) });
  }
  for (const [name, tensor] of before) {
    output(graph, name, name === lossOutput ? reshape(tensor, { shape: [] }) : tensor);
  }
}
