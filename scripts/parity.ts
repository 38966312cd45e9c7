/**
 * Writes docs/parity.md: runs every test that compares with golden values, on both backends, and makes tables of what
 * they noted (`test/parity.ts`). Nothing is written unless all of them pass.
 *
 *     npm run parity
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { addUp, groupOf, type Note, notesVariable, readNotes, shown } from "../test/parity.js";

/** The tables, in their order, and what stands above each. Groups that are not here come last. */
const groups: Readonly<Record<string, string>> = {
  vision: "Patch tokens of the image tower, without the class token.",
  resampler: "The 64 latents of an image.",
  logits:
    "After every token of a prompt read at once; and after its last three, each read alone, by the cache.",
  gradients: "Of the training loss, relative to the largest value of each parameter; and the loss itself.",
  training:
    "Steps of the reference implementation's own training: gradients, losses, norms, rates, and parameters afterwards.",
  greedy: "Every token of every answer of both generation files, and its log-probability after all rules.",
  beams: "Every token of every returned sequence of both generation files, and the sequences' scores.",
  ranking: "Log-probabilities of answers, as means and as sums; and their order.",
  sampling: "Probabilities after temperature, top-k, top-p, min-p and the rules before them.",
  modules: "The parts of the models by themselves. Relative to the largest value where that is above 1.",
  checkpoints:
    "Every tensor of the files; names and shapes of the released models against what the graphs ask for.",
  images: "From files to normalised tensors. Whole images are compared by their SHA-256.",
  tokenizers: "Token ids one by one; a text counts as one value.",
  "training data": "Ids one by one, images by name and flip, labels, orders, causes of rejections.",
  "high-level API": "What a user of `load` gets.",
  "compatible API": "What a user of the reference implementation's own function names gets.",
};

const path = (from: string) => fileURLToPath(new URL(from, import.meta.url));

function reject(code: number, reason: string): never {
  console.error(`docs/parity.md is not written: ${reason}`);
  process.exit(code);
}

/** Runs the tests that import `test/parity.ts`, also by way of others, and returns their notes. */
function runTests(): readonly Note[] {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-parity-"));
  try {
    const notes = join(folder, "notes.jsonl");
    const { status } = spawnSync("npx", ["vitest", "related", "--run", "test/parity.ts"], {
      cwd: path(".."),
      env: { ...process.env, OPENFLAMINGO_SLOW: "1", [notesVariable]: notes },
      stdio: "inherit",
    });
    if (status !== 0) reject(1, "a test failed");
    return readNotes(notes);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const row = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;

function table(notes: readonly Note[]): string {
  const rows = notes.map(({ family, backend = "", cases, values, largest, bound, unit }) => {
    const [, what = "", ...set] = family.split("/");
    const relative = unit === "relative" ? " relative" : "";
    const difference = largest === undefined ? "identical" : shown(largest) + relative;
    const count = (n: number) => n.toLocaleString("en-US");
    const allowed = bound === undefined ? "" : shown(bound);
    return row([what, set.join("/"), backend, count(cases), count(values), difference, allowed]);
  });
  const head = ["what", "model or set", "backend", "cases", "values", "largest difference", "bound"];
  return [row(head), "|---|---|---|--:|--:|--:|--:|", ...rows].join("\n");
}

function page(notes: readonly Note[], engineVersion: string): string {
  // Rows by what, then by set; ort.ffi first.
  const keyOf = ({ family, backend }: Note) => [...family.split("/"), backend === "ort.binding"].join("\0");
  const sums = addUp(notes).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const tables = [...new Set([...Object.keys(groups), ...sums.map(groupOf)])].map((group) => {
    const found = sums.filter((sum) => groupOf(sum) === group);
    if (found.length === 0) reject(1, `no test compared ${group}`);
    const title = `## ${group[0]!.toUpperCase()}${group.slice(1)}`;
    return [title, ...(groups[group] ? [groups[group]] : []), table(found)].join("\n\n");
  });
  const total = (of: "cases" | "values") =>
    notes.reduce((sum, note) => sum + note[of], 0).toLocaleString("en-US");
  return `# Parity

Made by \`npm run parity\` with onnxruntime ${engineVersion} and Node ${process.versions.node} on ${process.platform} ${process.arch}: ${total("values")} values in ${total("cases")} cases, beside what OpenFlamingo's own code computed (float32; three tiny test models of the 9B, 3B and 4B). A bound is what the tests allow, of the same kind as the difference beside it; *identical* allows none. The last digits of differences depend on the processor.

${tables.join("\n\n")}

${differences()}`;
}

/** The page of differences, its headings one level down. */
const differences = () =>
  readFileSync(path("../docs/differences.md"), "utf8")
    .replace(/^#/gm, "##")
    .replace(/\n\n.*parity\.md.*\n/, "\n");

if (process.env.OPENFLAMINGO_GOLDENS)
  reject(2, "OPENFLAMINGO_GOLDENS names another set, and the page is about the project's own");
if (!existsSync(path("../../shared/goldens/README.md"))) {
  reject(
    2,
    "the whole set of golden values, ../shared/goldens, is not at hand, and the page would be partial",
  );
}
const notes = runTests();
await using runtime = await openOrtFfi();
writeFileSync(path("../docs/parity.md"), page(notes, runtime.version));
