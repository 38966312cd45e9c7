/**
 * Folding: a reshaped weight is a weight of that shape. Its numbers lie in memory as they did, so that there is nothing
 * to do in any run (a convolution's kernel as the matrix that it is).
 */
import { reshape } from "../ops/layout.js";
import { type Graph, isWeight, weight } from "../tensor.js";
import { rewrite } from "./rewrite.js";

export const fold = (graph: Graph): Graph =>
  rewrite(graph, ({ op, results }, [source], next) => {
    if (op !== reshape.op || !source || !isWeight(source.node.op)) return undefined;
    const { name, from } = source.node.attributes as { name: string; from: readonly number[] };
    const shape = results[0]!.shape as readonly number[];
    return [weight(next, name, shape, { dtype: source.dtype, from })];
  });
