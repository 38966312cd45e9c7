/** Rewriting: a function from graph to graph, by a rule that says for each node what to put in its place. */
import { sameShape } from "../size.js";
import { addNode, createGraph, type Graph, type Node, output, type Tensor } from "../tensor.js";

/** What stands in for a node, given its inputs as they are in the new graph; undefined: the node itself. */
export type Rule = (
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  graph: Graph,
) => readonly Tensor[] | undefined;

/** The same outputs by other nodes. All inputs stay; weights and nodes that no output needs are left out. */
export function rewrite(graph: Graph, rule: Rule): Graph {
  const next = createGraph(graph.name);
  const moved = new Map<Tensor, Tensor>();
  for (const node of nodesFor(graph)) {
    const inputs = node.inputs.map((input) => input && moved.get(input)!);
    const results = rule(node, inputs, next) ?? moveNode(node, inputs, next);
    node.results.forEach((result, i) => {
      moved.set(result, results[i]!);
    });
  }
  for (const [name, tensor] of graph.outputs) output(next, name, moved.get(tensor)!, donationOf(graph, name));
  return next;
}

/** What an output was named with. */
export function donationOf({ donated }: Graph, name: string): { into?: string } {
  const into = donated.get(name);
  return into === undefined ? {} : { into };
}

/** The same graph without the nodes that no output needs. */
export const withoutUnused = (graph: Graph): Graph => rewrite(graph, moveNode);

/** A node in another graph. Where its inputs are what they were, its results are too: no shape rule is asked again. */
export function moveNode(
  { op, attributes, ...node }: Node,
  inputs: readonly (Tensor | undefined)[],
  graph: Graph,
): readonly Tensor[] {
  const same = node.inputs.every((before, i) => !before || sameType(before, inputs[i]!));
  return addNode(graph, op, inputs, attributes, same ? node.results : undefined);
}

const sameType = (a: Tensor, b: Tensor): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);

/** The inputs, and then the nodes that the outputs depend on: a node may use a size that a later input gives. */
function nodesFor(graph: Graph): ReadonlySet<Node> {
  const inputs = [...graph.inputs.values()].map(({ node }) => node);
  const needed = new Set<Node>();
  const pending = [...graph.outputs.values()].map(({ node }) => node);
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    for (const input of node.inputs) if (input) pending.push(input.node);
  }
  return new Set([...inputs, ...graph.nodes.filter((node) => needed.has(node))]);
}
