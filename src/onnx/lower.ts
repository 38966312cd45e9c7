/**
 * From the language of models to ONNX: every node is replaced by its ONNX lowering, or by its decomposition where it
 * has none, until only backend nodes are left.
 */
import { bug } from "../base/errors.js";
import {
  fold,
  type Graph,
  instructionOf,
  isSource,
  moveNode,
  type Node,
  namedInputs,
  reshape,
  rewrite,
  type Tensor,
  withoutUnused,
} from "../graph/index.js";

/** The same graph in backend nodes only. @throws OpenFlamingoError `internal` for an operator without a way to ONNX */
export function lower(graph: Graph): Graph {
  // Reshapes wait for the rest: lowerings bring their own, and only among their like can they be folded.
  const folded = fold(replaceAll(graph, (node) => node.op !== reshape.op));
  return withoutUnused(replaceAll(folded, () => true));
}

/** Puts lowerings in the place of nodes, and of the nodes that lowerings bring. What was replaced stays, unused. */
function replaceAll(graph: Graph, wanted: (node: Node) => boolean): Graph {
  const isLowered = (node: Node) =>
    isSource(node.op) || instructionOf(node.op, node.attributes) !== undefined || !wanted(node);
  /** Results in the new graph → what stands for them. */
  const replaced = new Map<Tensor, Tensor>();
  const resolve = (tensor: Tensor) => replaced.get(tensor) ?? tensor;

  function replace(node: Node, inputs: readonly (Tensor | undefined)[], target: Graph): readonly Tensor[] {
    if (isLowered(node)) return moveNode(node, inputs, target);
    const before = target.nodes.length;
    const results = formOf(node, inputs, target);
    for (const written of target.nodes.slice(before)) {
      const resolved = written.inputs.map((input) => input && resolve(input));
      if (isLowered(written) && resolved.every((input, i) => input === written.inputs[i])) continue;
      replace(written, resolved, target).forEach((result, i) => {
        replaced.set(written.results[i]!, result);
      });
    }
    return results.map(resolve);
  }

  return rewrite(graph, replace);
}

function formOf({ op, attributes, results }: Node, inputs: readonly (Tensor | undefined)[], target: Graph) {
  const lowering = op.onnx ?? op.decomposition;
  if (!lowering) {
    throw bug("internal", `operator ${op.name} has no ONNX lowering and no decomposition`);
  }
  return lowering(namedInputs(op, inputs), attributes, results, target);
}
