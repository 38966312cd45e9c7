/**
 * Weights in few bits: products with a matrix of the checkpoint, and look-ups in it, become those with its blocks. The
 * models say nothing of it.
 */
import type { BlockFormat } from "../format.js";
import { add } from "../ops/elementwise.js";
import { gather } from "../ops/gather.js";
import { linear } from "../ops/linear.js";
import { quantizedGather, quantizedLinear } from "../ops/quantized.js";
import { type Graph, isWeight, originOf, type Tensor, weightParts } from "../tensor.js";
import { rewrite } from "./rewrite.js";

/** The format of a matrix (n, k) by its name in the checkpoint; undefined: it stays as it is. */
export type FormatOf = (
  name: string,
  shape: readonly [n: number, k: number],
) => (BlockFormat & { readonly exact: boolean }) | undefined;

export const quantize = (graph: Graph, formatOf: FormatOf): Graph =>
  rewrite(graph, ({ op, inputs: before }, inputs, next) => {
    const at = op === linear.op ? 1 : op === gather.op ? 0 : undefined;
    const matrix = at === undefined ? undefined : before[at];
    if (!matrix || !isWeight(matrix.node.op) || matrix.shape.length !== 2) return undefined;
    const { name } = originOf(matrix.node);
    const shape = matrix.shape as readonly [number, number];
    const format = formatOf(name, shape);
    if (!format) return undefined;
    const { exact, ...blocks } = format;
    const { values, scales } = weightParts(next, name, shape, blocks);
    if (op === gather.op) {
      return [quantizedGather(values, scales, inputs[1]!, { ...blocks, width: shape[1] })];
    }
    const [x, , bias] = inputs as [Tensor, Tensor, Tensor | undefined];
    const y = quantizedLinear(x, values, scales, { ...blocks, exact });
    return [bias ? add(y, bias) : y];
  });
