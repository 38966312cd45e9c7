/**
 * Mixed precision: the inputs of matrix products are rounded to bfloat16, everything else stays float32, as do the
 * parameters themselves. So are, in torch's words, the numbers under `autocast`; products are still made by kernels for
 * float32, since backends for processors have none for bfloat16 that are faster.
 *
 * Paper: "Mixed Precision Training" (arXiv:1710.03740); with bfloat16 no scaling of the loss is needed.
 */
import { attention } from "../ops/attention.js";
import { cast } from "../ops/elementwise.js";
import { linear, matmul } from "../ops/linear.js";
import { quantizedLinear } from "../ops/quantized.js";
import { rowQuantizedLinear } from "../ops/rowQuantized.js";
import { type Graph, type Node, namedInputs, type Tensor } from "../tensor.js";
import { moveNode, rewrite } from "./rewrite.js";

/** Operators that are products, and which of their inputs are multiplied. */
const multiplied: ReadonlyMap<unknown, readonly number[]> = new Map([
  [matmul.op, [0, 1]],
  [linear.op, [0, 1]],
  [quantizedLinear.op, [0]],
  [rowQuantizedLinear.op, [0]],
]);

/**
 * The same graph with rounded products, those of gradients included if they are there.
 *
 * @param isRounded whether the numbers of a tensor are rounded already: of a frozen weight, when it was read
 */
export function roundProducts(graph: Graph, isRounded: (x: Tensor) => boolean = () => false): Graph {
  // Attention has two products inside.
  const open = rewrite(graph, ({ op, attributes, results }, inputs, next) =>
    op === attention.op ? op.decomposition!(namedInputs(op, inputs), attributes, results, next) : undefined,
  );
  return rewrite(open, (node, inputs, next) => {
    const at = multiplied.get(node.op);
    if (!at) return undefined;
    const rounded = inputs.map((x, i) => (x && at.includes(i) && !isRounded(x) ? round(x) : x));
    return moveNode(node as Node, rounded, next);
  });
}

const round = (x: Tensor): Tensor =>
  x.dtype === "float32" ? cast(cast(x, { to: "bfloat16" }), { to: "float32" }) : x;
