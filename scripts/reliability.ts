/**
 * Writes the tables of docs/reliability.md: runs every test that rejects something (`test/reliability.ts`) and notes
 * what was given, the code and the exit code. The rest of the page is kept by hand.
 *
 *     npm run reliability
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes } from "../src/cli/exitCodes.js";
import { type Rejection, readRejections, rejectionsVariable } from "../test/reliability.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs/reliability.md");
const [begin, end] = ["<!-- tables made by npm run reliability -->", "<!-- end of the tables -->"];

const folder = mkdtempSync(join(tmpdir(), "openflamingo-reliability-"));
let rejections: readonly Rejection[];
try {
  const notes = join(folder, "notes.jsonl");
  writeFileSync(notes, "");
  const { status } = spawnSync("npx", ["vitest", "related", "--run", "test/reliability.ts"], {
    cwd: root,
    env: { ...process.env, OPENFLAMINGO_SLOW: "1", [rejectionsVariable]: notes },
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error("docs/reliability.md is not written: a test failed");
    process.exit(1);
  }
  rejections = readRejections(notes);
} finally {
  rmSync(folder, { recursive: true });
}

const groups = [...new Set(rejections.map(({ group }) => group))].sort();
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ").replaceAll("<", "&lt;");
const tables = groups.map((name) => {
  const rows = rejections.filter(({ group }) => group === name);
  const lines = rows.map(({ input, code }) => `| ${cell(input)} | \`${code}\` | ${exitCodes[code]} |`).sort();
  const head = [`### ${name} (${rows.length})`, "", "| given | code | exit code |", "|---|---|--:|"];
  return [...head, ...lines].join("\n");
});
const text = readFileSync(page, "utf8");
const [before, after] = [text.split(begin)[0]!, text.split(end)[1]!];
writeFileSync(page, `${before}${begin}\n\n${tables.join("\n\n")}\n\n${end}${after}`);
console.log(`${rejections.length} rejections in ${groups.length} tables`);
