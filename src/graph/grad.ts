/**
 * Reverse-mode differentiation: adds to a graph the nodes that compute the gradient of a loss.
 *
 * The walk goes from the loss backwards over the nodes that lie between it and the parameters, and asks each
 * operator's entry for its rule. An operator without one is differentiated through its definition, which computes
 * its inner values again.
 */
import { add, mul } from "./ops/elementwise.js";
import { sumTo } from "./ops/reduce.js";
import { showShape } from "./size.js";
import { constant, type NamedTensors, type Node, shapeError, type Tensor } from "./tensor.js";

/**
 * The gradient of `loss` with respect to each parameter, in their order and shapes.
 *
 * @param loss a scalar, float32 ()
 * @param parameters weights, inputs or any tensors that the loss depends on
 * @throws OpenFlamingoError `shape` when the loss is no scalar, does not depend on a parameter, or depends on it
 *   through an operator that has no gradient
 */
export function grad(loss: Tensor, parameters: readonly Tensor[]): readonly Tensor[] {
  if (loss.shape.length > 0) throw shapeError("grad", `the loss is ${showShape(loss.shape)}, not a scalar`);
  const one = constant(loss.node.graph, 1, { dtype: loss.dtype });
  return backward([[loss, one]], parameters).map((gradient, i) => {
    if (gradient) return gradient;
    throw shapeError("grad", `the loss does not depend on parameter ${i}`);
  });
}

/** Pulls the gradients of `outputs` back to `targets`; undefined for a target that has no influence. */
function backward(
  outputs: readonly (readonly [Tensor, Tensor])[],
  targets: readonly Tensor[],
): readonly (Tensor | undefined)[] {
  const gradients = new Map<Tensor, Tensor>();
  const collect = (tensor: Tensor, gradient: Tensor) => {
    // Rules may give the gradient of the broadcast input: here alone it is summed back to the input's own shape.
    const fitting = sumTo(gradient, tensor.shape);
    const known = gradients.get(tensor);
    gradients.set(tensor, known ? add(known, fitting) : fitting);
  };
  for (const [tensor, gradient] of outputs) collect(tensor, gradient);

  const path = nodesBetween(
    outputs.map(([tensor]) => tensor),
    new Set(targets),
  );
  for (const node of path.reverse()) {
    if (!node.results.some((result) => gradients.has(result))) continue;
    const dy = node.results.map((result) => gradients.get(result) ?? mul(result, 0));
    const wanted = gradientsOf(node, dy);
    node.op.inputs.forEach((name, i) => {
      const input = node.inputs[i];
      const gradient = wanted[name];
      if (input && gradient) collect(input, gradient);
    });
  }
  return targets.map((target) => gradients.get(target));
}

/** The gradients of a node's inputs, by its rule or through its definition. */
function gradientsOf(node: Node, dy: readonly Tensor[]): NamedTensors {
  const { op, attributes, results } = node;
  const inputs: Record<string, Tensor | undefined> = {};
  op.inputs.forEach((name, i) => {
    inputs[name] = node.inputs[i];
  });
  if (op.grad === "none") return {};
  if (op.grad) return op.grad(inputs, attributes, results, dy);
  if (!op.definition) throw shapeError(op.name, "there is no rule for its gradient");

  const names = Object.keys(inputs).filter((name) => inputs[name]);
  const inner = op.definition(inputs, attributes, results, node.graph);
  const pulled = backward(
    inner.map((result, i) => [result, dy[i]!]),
    names.map((name) => inputs[name]!),
  );
  return Object.fromEntries(names.map((name, i) => [name, pulled[i]]));
}

/** The nodes through which the targets reach the outputs, in the order of the graph. */
function nodesBetween(outputs: readonly Tensor[], targets: ReadonlySet<Tensor>): Node[] {
  const reached = new Map<Node, boolean>();
  const pending = outputs.map(({ node }) => ({ node, expanded: false }));
  // Depth first without recursion: the graphs are as deep as the models.
  while (pending.length > 0) {
    const top = pending.at(-1)!;
    const inputs = top.node.inputs.filter((input) => input !== undefined && !targets.has(input)) as Tensor[];
    if (reached.has(top.node)) {
      pending.pop();
    } else if (top.expanded) {
      pending.pop();
      const direct = top.node.inputs.some((input) => input !== undefined && targets.has(input));
      reached.set(top.node, direct || inputs.some(({ node }) => reached.get(node)));
    } else {
      top.expanded = true;
      for (const { node } of inputs) if (!reached.has(node)) pending.push({ node, expanded: false });
    }
  }
  return [...reached].flatMap(([node, on]) => (on ? [node] : [])).sort((a, b) => a.id - b.id);
}
