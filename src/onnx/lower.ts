/**
 * From the language of models to ONNX: every node is replaced by its ONNX form, or by its definition where it has
 * none, until only raw nodes are left.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { fold, type Graph, instructionOf, isSource, rewrite, type Tensor } from "../graph/index.js";

/** The same graph in raw nodes only. @throws OpenFlamingoError `internal` for an operator without a way to ONNX */
export function lower(graph: Graph): Graph {
  let current = fold(graph);
  for (;;) {
    let replaced = false;
    const next = rewrite(current, (node, inputs, target) => {
      const { op, attributes, results } = node;
      if (isSource(op) || instructionOf(op, attributes)) return undefined;
      const form = op.onnx ?? op.definition;
      if (!form)
        throw new OpenFlamingoError("internal", `operator ${op.name} has no ONNX form and no definition`);
      replaced = true;
      const named: Record<string, Tensor | undefined> = {};
      op.inputs.forEach((name, i) => {
        named[name] = inputs[i];
      });
      return form(named, attributes, results, target);
    });
    if (!replaced) return next;
    current = fold(next);
  }
}
