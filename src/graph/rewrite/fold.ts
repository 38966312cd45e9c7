/**
 * Folding: what only moves the numbers of a weight is done once, while loading, and not in every run.
 *
 * A transposed or reshaped weight becomes a weight of its own, with the steps that lead to it from the checkpoint's
 * tensor. Without this, every linear layer would transpose its weight again for every token.
 */
import { reshape, transpose } from "../ops/layout.js";
import type { Shape } from "../size.js";
import { type Graph, isWeight, type Layout, weight } from "../tensor.js";
import { rewrite } from "./rewrite.js";

export const fold = (graph: Graph): Graph =>
  rewrite(graph, (node, [source], next) => {
    const step = stepOf(node.op, node.attributes);
    if (!step || !source || !isWeight(source.node.op)) return undefined;
    const { name, layout, from } = source.node.attributes as unknown as Parameters<typeof layoutOf>[0];
    const shape = node.results[0]!.shape as readonly number[];
    return [weight(next, name, shape, { dtype: source.dtype, layout: [...layout, step], from })];
  });

const layoutOf = (attributes: { name: string; layout: Layout; from: readonly number[] }) => attributes;

function stepOf(op: object, attributes: Readonly<Record<string, unknown>>): Layout[number] | undefined {
  if (op === transpose.op) return { transpose: attributes.order as readonly number[] };
  if (op === reshape.op) return { reshape: attributes.shape as Shape as readonly number[] };
  return undefined;
}
