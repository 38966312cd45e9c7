/** A graph as text: a line a node, with the names that the checkpoint and the model give, and every shape. */
import { showShape } from "./size.js";
import { type Graph, isConstant, isSource, nameOf, type Tensor } from "./tensor.js";

/** Stable and made for reading and for comparing; not meant to be read back. */
export function print(graph: Graph): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  let count = 0;
  for (const node of graph.nodes) {
    for (const result of node.results) {
      names.set(result, isSource(node.op) && !isConstant(node.op) ? nameOf(node) : `%${count++}`);
    }
    const left = node.results.map((result) => names.get(result)).join(", ");
    const type = `${node.results[0]!.dtype} ${showShape(node.results[0]!.shape)}`;
    const given = node.inputs.map((input) => (input ? names.get(input) : "-"));
    const attributes = isSource(node.op)
      ? isConstant(node.op)
        ? showValues(node.attributes.values as readonly number[])
        : ""
      : showAttributes(node.attributes);
    lines.push(`  ${left}: ${type} = ${[node.op.name, ...given, attributes].filter(Boolean).join(" ")}`);
  }
  const outputs = [...graph.outputs].map(([name, tensor]) => `  ${name} <- ${names.get(tensor)}`);
  return [`graph ${graph.name}`, ...lines, "outputs", ...outputs, ""].join("\n");
}

const showValues = (values: readonly number[]): string =>
  values.length <= 4 ? values.join(" ") : `${values.slice(0, 3).join(" ")} … (${values.length} values)`;

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
