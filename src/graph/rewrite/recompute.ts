/**
 * Recomputation: what lies inside of a segment of the forward pass, such as a block, is not kept for the backward pass
 * but computed once more from the segment's start, when the gradient of its end is known. Memory for activations is
 * then that of the starts and of one segment.
 *
 * Paper: "Training Deep Nets with Sublinear Memory Cost" (arXiv:1604.06174).
 */
import { barrier } from "../ops/barrier.js";
import { createGraph, type Graph, type Node, output, type Tensor } from "../tensor.js";
import { donationOf, moveNode } from "./rewrite.js";

/** Part of the forward pass: all that depends on `start` and that `end` depends on. */
export interface Segment {
  readonly start: Tensor; // float32, at least one axis
  readonly end: Tensor;
  /** The gradient of the loss with respect to `end`. */
  readonly endGradient: Tensor;
}

/**
 * The same graph, in which the nodes behind `forward` read nothing of the inside of a segment.
 *
 * @param forward how many nodes the graph had before gradients were added to it
 * @param segments none of which lies inside of another
 */
export function recompute(graph: Graph, forward: number, segments: readonly Segment[]): Graph {
  const segmentOf = new Map<Node, Segment>();
  for (const segment of segments) for (const node of insideOf(segment)) segmentOf.set(node, segment);
  const starts = new Map(segments.map((segment) => [segment.start, segment]));

  const next = createGraph(graph.name);
  const moved = new Map<Tensor, Tensor>();
  /** What the backward pass reads in place of a segment's start, and of what lies inside of it. */
  const again = new Map<Tensor, Tensor>();

  function startAgain({ start, endGradient }: Segment): Tensor {
    const known = again.get(start) ?? barrier(moved.get(start)!, moved.get(endGradient)!);
    again.set(start, known);
    return known;
  }

  /** The nodes between the start and `tensor`, in the order of the graph, written again. */
  function inside(tensor: Tensor, segment: Segment): Tensor {
    const pending = [tensor.node];
    for (let node = pending.at(-1); node; node = pending.at(-1)) {
      const missing = node.inputs.flatMap((input) =>
        input && segmentOf.get(input.node) === segment && !again.has(input) ? [input.node] : [],
      );
      if (missing.length > 0) pending.push(...missing);
      else {
        pending.pop();
        if (again.has(node.results[0]!)) continue;
        const inputs = node.inputs.map((input) => input && read(input, segment));
        moveNode(node, inputs, next).forEach((result, i) => {
          again.set(node.results[i]!, result);
        });
      }
    }
    return again.get(tensor)!;
  }

  const read = (input: Tensor, segment: Segment): Tensor =>
    input === segment.start
      ? startAgain(segment)
      : segmentOf.get(input.node) === segment
        ? again.get(input)!
        : moved.get(input)!;

  function readBackward(input: Tensor): Tensor {
    const segment = segmentOf.get(input.node);
    if (segment) return again.get(input) ?? inside(input, segment);
    const started = starts.get(input);
    return started && moved.has(started.endGradient) ? startAgain(started) : moved.get(input)!;
  }

  const sources = [...graph.inputs.values()].map(({ node }) => node);
  for (const node of new Set([...sources, ...graph.nodes])) {
    const isForward = node.id < forward;
    const inputs = node.inputs.map((input) => input && (isForward ? moved.get(input)! : readBackward(input)));
    moveNode(node, inputs, next).forEach((result, i) => {
      moved.set(node.results[i]!, result);
    });
  }
  for (const [name, tensor] of graph.outputs) output(next, name, moved.get(tensor)!, donationOf(graph, name));
  return next;
}

/** The nodes between start and end, without the end's own, which may be another segment's start. */
function insideOf({ start, end }: Segment): readonly Node[] {
  const depends = new Map<Node, boolean>([[start.node, true]]);
  const dependsOnStart = (last: Node): void => {
    const pending = [last];
    for (let node = pending.at(-1); node; node = pending.at(-1)) {
      const inputs = node.inputs.flatMap((input) => (input ? [input.node] : []));
      const open = depends.has(node) ? [] : inputs.filter((each) => !depends.has(each));
      // Nothing before the start depends on it.
      const unknown = open.filter(({ id }) => id > start.node.id);
      if (unknown.length > 0) pending.push(...unknown);
      else {
        pending.pop();
        if (!depends.has(node))
          depends.set(
            node,
            inputs.some((each) => depends.get(each)),
          );
      }
    }
  };
  dependsOnStart(end.node);
  return [...depends].flatMap(([node, on]) => (on && node !== start.node && node !== end.node ? [node] : []));
}
