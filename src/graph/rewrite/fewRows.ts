/**
 * Products of a few rows with a matrix of the checkpoint, turned round: (w xᵀ)ᵀ in place of x wᵀ.
 *
 * Kernels read the left matrix where it lies and first bring the right one into an order of their own. With 2 to 64
 * rows that order takes as long as the product: turned round, it is the few rows that are brought into it, and the
 * matrix is read once, as fast as memory gives it.
 */
import { add } from "../ops/elementwise.js";
import { reshape, transposeLast } from "../ops/layout.js";
import { linear } from "../ops/linear.js";
import { product } from "../size.js";
import { type Graph, isWeight } from "../tensor.js";
import { rewrite } from "./rewrite.js";

/** The same graph for runs of few rows. */
export const fewRows = (graph: Graph): Graph =>
  rewrite(graph, ({ op, results }, [x, w, bias]) => {
    if (op !== linear.op || !x || !w || !isWeight(w.node.op)) return undefined;
    const rows = reshape(x, { shape: [product(x.shape.slice(0, -1)), x.shape.at(-1)!] });
    const y = reshape(transposeLast(linear(w, rows, undefined)), { shape: results[0]!.shape });
    return [bias ? add(y, bias) : y];
  });
