/**
 * What a calibration run looks at: beside its own outputs the graph has, for products with weights, the sum of the
 * squares of every column of their input. A column that is strong is one whose weights must be exact.
 */
import { add, mul } from "../ops/elementwise.js";
import { linear } from "../ops/linear.js";
import { sum } from "../ops/reduce.js";
import { type Graph, isWeight, originOf, output, type Tensor } from "../tensor.js";
import { rewrite } from "./rewrite.js";

const prefix = "squares of ";

/** The tensor of the checkpoint whose product's input an output is about; undefined for any other output. */
export const tensorOfSquares = (name: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined;

/**
 * The graph with an output (k), float32, for each wanted matrix (n, k): of a matrix in several products, of all of their
 * inputs together. What is looked at are products with matrices as they are: weights are brought into few bits after.
 *
 * @param isWanted by the matrix's name in the checkpoint
 */
export function inputSquares(
  graph: Graph,
  isWanted: (name: string, shape: readonly [n: number, k: number]) => boolean,
): Graph {
  const squares = new Map<string, Tensor[]>();
  const next = rewrite(graph, ({ op, inputs: [, matrix] }, [x]) => {
    if (op !== linear.op || !x || !matrix || !isWeight(matrix.node.op)) return undefined;
    const { name } = originOf(matrix.node);
    if (!isWanted(name, matrix.shape as readonly [number, number])) return undefined;
    const axes = x.shape.slice(0, -1).map((_, axis) => axis);
    squares.set(name, [...(squares.get(name) ?? []), sum(mul(x, x), { axes })]);
    return undefined;
  });
  for (const [name, [first, ...others]] of squares) {
    output(
      next,
      prefix + name,
      others.reduce((all, each) => add(all, each), first!),
    );
  }
  return next;
}
