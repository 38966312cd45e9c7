/** How many operations a run of a graph is: two for each product of numbers in products of matrices and in attention. */
import { type Dim, evaluateDim, type Graph, type Tensor } from "../graph/index.js";

/** @param sizes the named sizes of the run: `{ b: 1, t: 32, … }` */
export function operationsOf(graph: Graph, sizes: Readonly<Record<string, number>>): number {
  const named = new Map(Object.entries(sizes));
  const lengthOf = (dim: Dim | undefined) => (dim === undefined ? 1 : evaluateDim(dim, named));
  const elements = ({ shape }: Tensor) => shape.reduce<number>((product, dim) => product * lengthOf(dim), 1);
  return graph.nodes.reduce((sum, { op, inputs, results }) => {
    const [first, second] = inputs;
    const y = results[0];
    if (!y || !first) return sum;
    switch (op.name) {
      case "linear":
      case "matmul":
      case "quantizedLinear":
        return sum + 2 * elements(y) * lengthOf(first.shape.at(-1));
      case "attention": // scores, and their products with the values
        return sum + 4 * elements(y) * lengthOf(second?.shape.at(-2));
      case "cachedAttention":
        return sum + 4 * elements(y) * lengthOf(inputs.at(-1)?.shape.at(-1)); // the bias has all positions
      default:
        return sum;
    }
  }, 0);
}
