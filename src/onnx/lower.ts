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
  type Node,
  namedInputs,
  reshape,
  rewrite,
  type Tensor,
} from "../graph/index.js";

/** The same graph in backend nodes only. @throws OpenFlamingoError `internal` for an operator without a way to ONNX */
export function lower(graph: Graph): Graph {
  // Reshapes wait for the rest: lowerings bring their own, and only among their like can they be folded.
  return replaceAll(fold(replaceAll(graph, (node) => node.op !== reshape.op)), () => true);
}

/**
 * Puts lowerings in the place of nodes, and of the nodes that lowerings bring, as long as there are any to be replaced.
 */
function replaceAll(graph: Graph, wanted: (node: Node) => boolean): Graph {
  let replaced = false;
  const next = rewrite(graph, (node, inputs, target) => {
    if (isSource(node.op) || instructionOf(node.op, node.attributes) || !wanted(node)) return undefined;
    replaced = true;
    return formOf(node, inputs, target);
  });
  return replaced ? replaceAll(next, wanted) : next;
}

function formOf({ op, attributes, results }: Node, inputs: readonly (Tensor | undefined)[], target: Graph) {
  const lowering = op.onnx ?? op.decomposition;
  if (!lowering) {
    throw bug("internal", `operator ${op.name} has no ONNX lowering and no decomposition`);
  }
  return lowering(namedInputs(op, inputs), attributes, results, target);
}
