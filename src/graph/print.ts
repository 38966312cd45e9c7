/** A graph as text: a line a node, with the names that the checkpoint and the model give, and every shape. */

import { valuesOfConstant } from "./constant.js";
import { product, showShape } from "./size.js";
import { type Graph, isConstant, isSource, type Node, nameOf, type Tensor } from "./tensor.js";

/** Stable and made for reading and for comparing; not meant to be read back. */
export function print(graph: Graph): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  let count = 0;
  for (const node of graph.nodes) {
    for (const result of node.results) {
      names.set(result, isSource(node.op) && !isConstant(node.op) ? nameOf(node) : `%${count++}`);
    }
    const left = node.results.map((each) => `${names.get(each)}: ${each.dtype} ${showShape(each.shape)}`);
    const given = node.inputs.map((input) => (input ? names.get(input) : "-"));
    const attributes = isSource(node.op)
      ? isConstant(node.op)
        ? showValues(node)
        : ""
      : showAttributes(node.attributes);
    lines.push(`  ${left.join(", ")} = ${[node.op.name, ...given, attributes].filter(Boolean).join(" ")}`);
  }
  const outputs = [...graph.outputs].map(([name, tensor]) => `  ${name} <- ${names.get(tensor)}`);
  return [`graph ${graph.name}`, ...lines, "outputs", ...outputs, ""].join("\n");
}

function showValues(node: Node): string {
  const count = product(node.results[0]!.shape) as number;
  const shown = valuesOfConstant(node, count <= 4 ? count : 3).map((value) =>
    Object.is(value, -0) ? "-0" : value,
  );
  return count <= 4 ? shown.join(" ") : `${shown.join(" ")} … (${count} values)`;
}

const showAttributes = (attributes: object): string =>
  Object.entries(attributes)
    .filter(([name]) => name !== "types")
    .map(([name, value]) => `${name}=${showAttribute(value)}`)
    .join(" ");

function showAttribute(value: unknown): string {
  if (Array.isArray(value)) {
    const dims = value.every(
      (each) => typeof each === "number" || (each !== null && typeof each === "object" && "terms" in each),
    );
    return dims ? showShape(value) : JSON.stringify(value);
  }
  if (value !== null && typeof value === "object" && "terms" in value) return showShape([value as never]);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
