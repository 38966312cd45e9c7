/**
 * Folding of reshapes, which move no numbers: one after another is the last, one that changes nothing is nothing, and a
 * reshaped weight is a weight of that shape (a convolution's kernel is the matrix that it is used as). Blocks split
 * heads that a kernel joins again; without this, a decoding step would spend a tenth of its time on it.
 */
import { reshape } from "../ops/layout.js";
import { type Shape, sameShape } from "../size.js";
import { type Graph, isWeight, originOf, type Tensor, weight } from "../tensor.js";
import { rewrite } from "./rewrite.js";

export const fold = (graph: Graph): Graph =>
  rewrite(graph, ({ op, results }, [x], next) =>
    op === reshape.op && x ? [reshaped(x, results[0]!.shape, next)] : undefined,
  );

function reshaped(x: Tensor, shape: Shape, graph: Graph): Tensor {
  const source = x.node.op === reshape.op ? x.node.inputs[0]! : x;
  if (sameShape(source.shape, shape)) return source;
  if (!isWeight(source.node.op)) return reshape(source, { shape });
  const { name, from, part } = originOf(source.node);
  if (part) return reshape(source, { shape });
  return weight(graph, name, shape as readonly number[], { dtype: source.dtype, from });
}
