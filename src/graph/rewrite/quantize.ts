/**
 * Weights in few bits: products with a matrix of the checkpoint, and look-ups in it, become those with its parts. The
 * models say nothing of it.
 */
import { type BlockFormat, isInRows, type RowFormat } from "../format.js";
import { add } from "../ops/elementwise.js";
import { gather } from "../ops/gather.js";
import { concat, slice } from "../ops/layout.js";
import { linear } from "../ops/linear.js";
import { quantizedGather, quantizedLinear } from "../ops/quantized.js";
import { rowQuantizedLinear } from "../ops/rowQuantized.js";
import { type Graph, isWeight, originOf, type Tensor, weightParts } from "../tensor.js";
import { rewrite } from "./rewrite.js";

/**
 * The format of a matrix (n, k) by its name in the checkpoint; undefined: it stays as it is. So does a matrix in rows
 * where it is looked up in.
 */
export type FormatOf = (
  name: string,
  shape: readonly [n: number, k: number],
) => (BlockFormat & { readonly exact: boolean }) | RowFormat | undefined;

export const quantize = (graph: Graph, formatOf: FormatOf): Graph =>
  rewrite(graph, ({ op, inputs: before }, inputs, next) => {
    const at = op === linear.op ? 1 : op === gather.op ? 0 : undefined;
    const matrix = at === undefined ? undefined : before[at];
    if (!matrix || !isWeight(matrix.node.op) || matrix.shape.length !== 2) return undefined;
    const { name } = originOf(matrix.node);
    const shape = matrix.shape as readonly [number, number];
    const format = formatOf(name, shape);
    if (!format || (op === gather.op && isInRows(format))) return undefined;
    const parts = weightParts(next, name, shape, format);
    const [x, , bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    if (isInRows(format)) {
      return parts.map(({ values, scales }) => withBias(rowQuantizedLinear(x, values, scales), bias));
    }
    const { bits, block, exact } = format;
    if (op === gather.op) {
      const columns = parts.map(({ span: [start, end], values, scales }) =>
        quantizedGather(values, scales, inputs[1]!, { bits, block, width: end - start }),
      );
      return [columns.length === 1 ? columns[0]! : concat(columns, { axis: -1 })];
    }
    const products = parts.map(({ span: [start, end], values, scales }) => {
      const columns = parts.length === 1 ? x : slice(x, { axis: -1, start, end });
      return quantizedLinear(columns, values, scales, { bits, block, exact });
    });
    return [
      withBias(
        products.reduce((y, product) => add(y, product)),
        bias,
      ),
    ];
  });

const withBias = (y: Tensor, bias: Tensor | undefined): Tensor => (bias ? add(y, bias) : y);
