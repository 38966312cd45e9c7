/**
 * Cutting a graph into stages that give, one after the other, what the whole gives: for a model of which each stage is
 * to be made ready by itself.
 */
import { showDim } from "../size.js";
import { createGraph, type Graph, input, type Node, output, type Tensor } from "../tensor.js";
import { donationOf, moveNode } from "./rewrite.js";

/** What is handed on at the cut of this number: an output of the stage before it, an input of those behind. */
export const cutName = (cut: number): string => `cut.${cut}`;

/**
 * The stages of a graph, one more than there are cuts. Each output belongs to the stage behind the last cut on the way
 * to it. What depends on no cut, such as masks, is computed in every stage that needs it. Inputs are where they are
 * needed.
 *
 * @param cuts tensors of the graph, each computed from the one before
 */
export function cutGraph(graph: Graph, cuts: readonly Tensor[]): readonly Graph[] {
  const stageOf = new Map<Node, number>();
  const behind = ({ node }: Tensor) => stageOf.get(node)!;
  for (const node of graph.nodes) {
    const stages = node.inputs.map((each) => (each ? Math.max(cuts.indexOf(each) + 1, behind(each)) : 0));
    stageOf.set(node, Math.max(0, ...stages));
  }
  return [...cuts, undefined].map((end, stage) => {
    const outputs = new Map([...graph.outputs].filter(([, tensor]) => behind(tensor) === stage));
    if (end) outputs.set(cutName(stage), end);
    return stageWith(graph, outputs, cuts.slice(0, stage));
  });
}

/** A graph with these outputs, to which the cuts are given. */
function stageWith(graph: Graph, outputs: ReadonlyMap<string, Tensor>, cuts: readonly Tensor[]): Graph {
  const needed = neededFor([...outputs.values()], new Set(cuts));
  const next = createGraph(graph.name);
  const moved = new Map<Tensor, Tensor>();
  cuts.forEach((cut, i) => {
    if (needed.has(cut)) moved.set(cut, input(next, cutName(i), cut.dtype, cut.shape));
  });
  const move = (node: Node) => {
    const inputs = node.inputs.map((each) => each && moved.get(each)!);
    moveNode(node, inputs, next).forEach((result, i) => {
      if (!moved.has(node.results[i]!)) moved.set(node.results[i]!, result);
    });
  };
  for (const tensor of inputsFor(graph, needed)) move(tensor.node);
  for (const node of graph.nodes) {
    if (node.results.some((each) => needed.has(each) && !moved.has(each))) move(node);
  }
  for (const [name, tensor] of outputs) {
    const { into } = donationOf(graph, name);
    output(next, name, moved.get(tensor)!, into !== undefined && next.inputs.has(into) ? { into } : {});
  }
  return next;
}

/** Those that are needed; and, as lowerings may ask for the value of any size, those that give the sizes they do not. */
function inputsFor({ inputs, sizes }: Graph, needed: ReadonlySet<Tensor>): readonly Tensor[] {
  const ofAxes = new Set(
    [...inputs.values()].filter((each) => needed.has(each)).flatMap(({ shape }) => shape.map(showDim)),
  );
  const kept = new Set(needed);
  for (const [name, { input }] of sizes) if (!ofAxes.has(name)) kept.add(input);
  return [...inputs.values()].filter((each) => kept.has(each));
}

/** All tensors that these are computed from, back to those that are given. */
function neededFor(tensors: readonly Tensor[], given: ReadonlySet<Tensor>): ReadonlySet<Tensor> {
  const needed = new Set<Tensor>();
  const pending = [...tensors];
  for (let tensor = pending.pop(); tensor; tensor = pending.pop()) {
    if (needed.has(tensor)) continue;
    needed.add(tensor);
    if (!given.has(tensor)) for (const each of tensor.node.inputs) if (each) pending.push(each);
  }
  return needed;
}
