/**
 * Reverse-mode differentiation: adds to a graph the nodes that compute the gradient of a loss.
 *
 * The walk goes from the loss backwards over the nodes that lie between it and the parameters, and asks each
 * operator's entry for its rule. An operator without one is differentiated through its decomposition, which computes
 * its inner values again.
 */

import { constant } from "./constant.js";
import { add } from "./ops/elementwise.js";
import { broadcastTo, sumTo } from "./ops/reduce.js";
import { showShape } from "./size.js";
import { type NamedTensors, type Node, namedInputs, shapeError, type Tensor } from "./tensor.js";

/**
 * The gradient of `loss` with respect to each parameter, in their order and shapes.
 *
 * @param loss a scalar, float32 ()
 * @param parameters weights, inputs or any tensors that the loss depends on
 * @throws OpenFlamingoError `shape` when the loss is no scalar of floats, does not depend on a parameter, or depends
 *   on it through an operator that has no gradient
 */
export function grad<const Parameters extends readonly Tensor[]>(
  loss: Tensor,
  parameters: Parameters,
): { readonly [K in keyof Parameters]: Tensor } {
  if (loss.shape.length > 0) throw shapeError("grad", `the loss is ${showShape(loss.shape)}, not a scalar`);
  if (!loss.dtype.includes("float")) throw shapeError("grad", `the loss is ${loss.dtype}, not a float`);
  const one = constant(loss.node.graph, 1, { dtype: loss.dtype });
  const gradients = backward([[loss, one]], parameters, "total").map((gradient, i) => {
    if (gradient) return gradient;
    const name = parameters[i]!.node.attributes.called ?? `parameter ${i}`;
    throw shapeError("grad", `the loss does not depend on ${name}`);
  });
  return gradients as { readonly [K in keyof Parameters]: Tensor };
}

/**
 * Pulls the gradients of `outputs` back to `targets`; undefined for a target that has no influence.
 *
 * @param kind `total`: also what a target does through other targets; `partial`: each as if the others stood still
 */
function backward(
  outputs: readonly (readonly [Tensor, Tensor])[],
  targets: readonly Tensor[],
  kind: "total" | "partial",
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
    kind,
  );
  for (const node of path.reverse()) {
    if (!node.results.some((result) => gradients.has(result))) continue;
    const wanted = gradientsOf(
      node,
      node.results.map((result) => gradients.get(result)),
    );
    node.op.inputs.forEach((name, i) => {
      const input = node.inputs[i];
      const gradient = wanted[name];
      if (input && gradient) collect(input, gradient);
    });
  }
  return targets.map((target) => gradients.get(target));
}

/** The gradients of a node's inputs, by its rule or through its decomposition, from those of its results. */
function gradientsOf(node: Node, dy: readonly (Tensor | undefined)[]): NamedTensors {
  const { op, attributes, results } = node;
  const inputs = namedInputs(op, node.inputs);
  if (op.grad === "none") return {};
  if (op.grad) {
    const all = results.map((result, i) => dy[i] ?? zerosLike(result));
    return op.grad(inputs, attributes, results, all);
  }
  if (!op.decomposition) throw shapeError(op.name, "there is no rule for its gradient");

  // A tensor that stands in two places is one target: its first name gets all of its gradient.
  const names = op.inputs.filter((name, i) => inputs[name] && node.inputs.indexOf(inputs[name]) === i);
  const inner = op.decomposition(inputs, attributes, results, node.graph);
  const pulled = backward(
    inner.flatMap((result, i) => (dy[i] ? [[result, dy[i]] as const] : [])),
    names.map((name) => inputs[name]!),
    "partial",
  );
  return Object.fromEntries(names.map((name, i) => [name, pulled[i]]));
}

const zerosLike = ({ node, dtype, shape }: Tensor): Tensor =>
  broadcastTo(constant(node.graph, 0, { dtype }), { shape });

/** The nodes through which the targets reach the outputs, in the order of the graph. */
function nodesBetween(
  outputs: readonly Tensor[],
  targets: ReadonlySet<Tensor>,
  kind: "total" | "partial",
): Node[] {
  const isEnd = (input: Tensor) => kind === "partial" && targets.has(input);
  const reached = new Map<Node, boolean>();
  const pending = outputs.map(({ node }) => ({ node, expanded: false }));
  // Depth first without recursion: the graphs are as deep as the models.
  while (pending.length > 0) {
    const top = pending.at(-1)!;
    const inputs = top.node.inputs.filter((input) => input !== undefined && !isEnd(input)) as Tensor[];
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
