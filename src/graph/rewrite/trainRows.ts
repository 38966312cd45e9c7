/**
 * Training of a few rows of a matrix that is frozen otherwise, such as the embedding's rows of tokens that were added:
 * the matrix stays a weight, in whatever format, and its trained rows are an input. The gradient is then that of the
 * rows alone; a gradient of the whole matrix, of which all but those rows is thrown away, is never made.
 */
import { add, equal, where } from "../ops/elementwise.js";
import { gather } from "../ops/gather.js";
import { concat, reshape, slice } from "../ops/layout.js";
import { linear } from "../ops/linear.js";
import { type Graph, input, isWeight, originOf, shapeError, type Tensor } from "../tensor.js";
import { rewrite } from "./rewrite.js";

/**
 * @param matrix name of a weight (n, d) that is looked up in, and multiplied with
 * @param rows numbers of its rows, ascending
 * @returns the graph with an input of the matrix's name, (number of rows, d)
 * @throws OpenFlamingoError `shape` for rows that are not ascending or not the matrix's
 */
export function trainRows(graph: Graph, matrix: string, rows: readonly number[]): Graph {
  const [n, d] = graph.weights.get(matrix)!.shape as readonly [number, number];
  if (rows.some((row, k) => !(row > (rows[k - 1] ?? -1) && row < n))) {
    throw shapeError("trainRows", `${rows.join(", ")} are no ascending rows of ${matrix} (${n}, ${d})`);
  }
  const isMatrix = (x: Tensor | undefined) =>
    x !== undefined && isWeight(x.node.op) && originOf(x.node).name === matrix;
  const rowsIn = (next: Graph) => input(next, rowsName(matrix), "float32", [rows.length, d]);
  return rewrite(graph, ({ op, inputs: before }, inputs, next) => {
    const [a, b, bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    if (op === gather.op && isMatrix(before[0])) return [lookUp(a, rowsIn(next), b)];
    if (op === linear.op && isMatrix(before[1])) {
      const y = multiply(a, b, rowsIn(next));
      return [bias ? add(y, bias) : y];
    }
    return undefined;
  });

  function lookUp(table: Tensor, trained: Tensor, ids: Tensor): Tensor {
    const alone = reshape(ids, { shape: [...ids.shape, 1] });
    return rows.reduce(
      (y, row, k) => where(equal(alone, row), reshape(rowOf(trained, k), { shape: [d] }), y),
      gather(table, ids),
    );
  }

  /** The columns of the product that belong to the trained rows, in place of the frozen matrix's. */
  function multiply(x: Tensor, frozen: Tensor, trained: Tensor): Tensor {
    const all = linear(x, frozen, undefined);
    const own = linear(x, trained, undefined); // (…, number of rows)
    const columns = (y: Tensor, start: number, end: number) =>
      end > start ? [slice(y, { axis: -1, start, end })] : [];
    const parts = rows.flatMap((row, k) => [
      ...columns(own, k, k + 1),
      ...columns(all, row + 1, rows[k + 1] ?? n),
    ]);
    const tail = concat(parts, { axis: -1 });
    const [head] = columns(all, 0, rows[0] ?? n);
    return head ? concat([head, tail], { axis: -1 }) : tail;
  }
}

const rowOf = (trained: Tensor, k: number) => slice(trained, { axis: 0, start: k, end: k + 1 });

/** The name of the input. The matrix's own is taken, by the weight. */
export const rowsName = (matrix: string): string => `rows of ${matrix}`;
