/**
 * Prints `docs/operators.md` from the table of operators; a test holds the page against it.
 *
 *     npx tsx scripts/operators.ts > docs/operators.md
 */
import { pathToFileURL } from "node:url";
import { operators } from "../src/graph/index.js";

export function operatorsPage(): string {
  const rows = [...operators]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, inputs, grad, onnx, decomposition }) => {
      const gradient = grad === "none" ? "none" : grad ? "own rule" : "through the decomposition";
      const cells = [
        `\`${name}\``,
        inputs.join(", "),
        gradient,
        onnx ? "own lowering" : "by the decomposition",
        decomposition ? "yes" : "primitive",
      ];
      return `| ${cells.join(" | ")} |`;
    });
  return `# Operators

The ${operators.length} operators of the language, printed from its table by \`npx tsx scripts/operators.ts\`. A primitive operator must be known to every lowering; one with a decomposition is exact without a kernel.

| operator | inputs | gradient | ONNX | decomposition |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.stdout.write(operatorsPage());
