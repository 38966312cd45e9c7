/**
 * Mixed precision: what matrix products take is rounded to bfloat16, everything else stays float32, as do the parameters
 * themselves. The products are made by kernels for float32, since backends have none on processors that would be faster:
 * the exactness is that of mixed precision, not the speed. What products give is not rounded, as torch's does under
 * `autocast`, where a model's layers are in bfloat16 throughout: gradients are nearer to those of float32 without.
 *
 * Paper: "Mixed Precision Training" (arXiv:1710.03740); with bfloat16 no scaling of the loss is needed.
 */
import { attention } from "../ops/attention.js";
import { barrier } from "../ops/barrier.js";
import { cast } from "../ops/elementwise.js";
import { reshape, transpose } from "../ops/layout.js";
import { linear, matmul } from "../ops/linear.js";
import { quantizedLinear } from "../ops/quantized.js";
import { rowQuantizedLinear } from "../ops/rowQuantized.js";
import { type Graph, isSource, isWeight, type Node, namedInputs, nameOf, type Tensor } from "../tensor.js";
import { moveNode, rewrite } from "./rewrite.js";

/** Operators that are products, and which of their inputs are multiplied. */
const multiplied: ReadonlyMap<unknown, readonly number[]> = new Map([
  [matmul.op, [0, 1]],
  [linear.op, [0, 1]],
  [quantizedLinear.op, [0]],
  [rowQuantizedLinear.op, [0]],
]);

export interface RoundOptions {
  /** Weights, by their names, whose numbers are rounded already: see `multipliedOnly`. */
  readonly rounded?: ReadonlySet<string>;
  /**
   * The output that the forward pass ends in. Parameters are rounded anew in each product behind it, so that they are not
   * kept twice until then; when left out they are rounded once.
   */
  readonly forwardEnd?: string | undefined;
}

/** The same graph with rounded products, those of gradients included if they are there. */
export function roundProducts(
  graph: Graph,
  { rounded: before = new Set(), forwardEnd }: RoundOptions = {},
): Graph {
  const isRounded = ({ node }: Tensor) => isWeight(node.op) && before.has(nameOf(node));
  // Attention has two products inside.
  const open = rewrite(graph, ({ op, attributes, results }, inputs, next) =>
    op === attention.op ? op.decomposition!(namedInputs(op, inputs), attributes, results, next) : undefined,
  );
  const forward = forwardEnd === undefined ? undefined : nodesBefore(open, forwardEnd);
  return rewrite(open, (node, inputs, next) => {
    const at = multiplied.get(node.op);
    if (!at) return undefined;
    const rounded = inputs.map((x, i) => {
      if (!x || !at.includes(i) || isRounded(x)) return x;
      const other = inputs[1 - i]!;
      const isLate = forward && !forward.has(node) && isSource(x.node.op) && !isSource(other.node.op);
      return round(isLate ? barrier(x, other) : x);
    });
    return moveNode(node, rounded, next);
  });
}

/** The names of weights that are in products and nowhere else: they may be rounded once and for all, when they are read. */
export function multipliedOnly(graph: Graph): ReadonlySet<string> {
  const names = new Set(
    [...graph.weights].flatMap(([name, { dtype }]) => (dtype === "float32" ? [name] : [])),
  );
  for (const { op, inputs } of graph.nodes) {
    const at = multiplied.get(op) ?? [];
    inputs.forEach((x, i) => {
      if (x && isWeight(x.node.op) && !at.includes(i)) names.delete(nameOf(x.node));
    });
  }
  return names;
}

/**
 * Numbers that were only moved are rounded before: a product and its gradients take the same tensor in different orders,
 * and need it rounded once. Not so parameters, which would be kept a second time from the first product to the last.
 */
function round(x: Tensor): Tensor {
  if (x.dtype !== "float32") return x;
  const { node } = x;
  const [from] = node.inputs;
  const isMoved = node.op === transpose.op || node.op === reshape.op;
  if (from && isMoved && !isSource(from.node.op)) return moveNode(node, [round(from)], node.graph)[0]!;
  return cast(cast(x, { to: "bfloat16" }), { to: "float32" });
}

function nodesBefore({ outputs }: Graph, end: string): ReadonlySet<Node> {
  const before = new Set([outputs.get(end)!.node]);
  for (const node of before) for (const input of node.inputs) if (input) before.add(input.node);
  return before;
}
