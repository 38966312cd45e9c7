/**
 * Changes the source in places where a test must notice, one change at a time, and runs those tests:
 *
 *     npx tsx scripts/mutants.ts [PATTERN]
 *
 * The pattern is a regular expression: only mutants whose table, file or description has it are run. Everything happens in a
 * copy of the repository. First the tests must pass unchanged. What is printed is a table in Markdown, as it stands in
 * docs/reliability.md; the status is 1 where a mutant survives that should not, or the reverse.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkpoints } from "./mutants/checkpoints.js";
import { generate } from "./mutants/generate.js";
import { images } from "./mutants/images.js";
import { models } from "./mutants/models.js";
import type { Mutant } from "./mutants/mutant.js";
import { review } from "./mutants/review.js";
import { runner } from "./mutants/runner.js";

const tables = { review, generate, runner, models, images, checkpoints };

/** Tests that take longer than this do not end. */
const mostSeconds = 300;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "openflamingo-mutants-"));
const copy = join(folder, "repository");

/** What the tests need of the repository. */
const parts = "src test bench assets docs scripts package.json tsconfig.json vitest.config.ts".split(" ");

try {
  copyRepository();
  main(new RegExp(process.argv[2] ?? ""));
} finally {
  rmSync(folder, { recursive: true });
}

function copyRepository(): void {
  mkdirSync(copy);
  for (const part of parts) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const shared = join(root, "../shared"); // golden values that are too large for the repository
  if (existsSync(shared)) symlinkSync(shared, join(folder, "shared"));
}

function main(pattern: RegExp): void {
  const passed = new Set<string>();
  let [count, killed] = [0, 0];
  for (const [area, mutants] of Object.entries(tables)) {
    const chosen = mutants.filter(({ file, what }) => [area, file, what].some((text) => pattern.test(text)));
    if (chosen.length === 0) continue;
    console.log(`\n| ${area}: what is changed | in | seconds | killed by |\n|---|---|---|---|`);
    for (const mutant of chosen) {
      const { what, file, tests, survives } = mutant;
      const unnoticed = tests.filter((test) => !passed.has(test));
      const before = unnoticed.length > 0 ? firstFailure(unnoticed) : undefined;
      if (before !== undefined) throw new Error(`fails without any change: ${before}`);
      for (const test of unnoticed) passed.add(test);

      const start = performance.now();
      const failure = failureOf(mutant);
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      count++;
      if (failure !== undefined) killed++;
      if ((failure === undefined) !== (survives !== undefined)) process.exitCode = 1;
      const result = failure ?? `**survives**: ${survives ?? "no test notices it"}`;
      console.log(`| ${[what, `\`${file}\``, seconds, result].map(cell).join(" | ")} |`);
    }
  }
  console.log(`\n${killed} of ${count} killed`);
  if (count === 0) process.exitCode = 1;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** The first test that fails with the change, if one does. */
function failureOf({ what, file, from, to, tests }: Mutant): string | undefined {
  const path = join(copy, "src", file);
  const source = readFileSync(path, "utf8");
  const places = source.split(from).length - 1;
  if (places !== 1) throw new Error(`${file} has the text of “${what}” ${places} times: ${from}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    return firstFailure(tests);
  } finally {
    writeFileSync(path, source);
  }
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** The first of the tests that fails: its file and name. */
function firstFailure(tests: readonly string[]): string | undefined {
  const output = join(folder, "report.json");
  rmSync(output, { force: true });
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const options = [
    "--bail=1",
    "--maxWorkers=1",
    "--hookTimeout=60000",
    "--reporter=json",
    `--outputFile=${output}`,
  ];
  const args = [vitest, "run", ...tests.map((test) => `test/${test}`), ...options];
  const { status } = spawnSync(process.execPath, args, { cwd: copy, timeout: 1000 * mostSeconds });
  if (!existsSync(output))
    return `${tests.join(", ")}: ${status === null ? "does not end" : "the process dies"}`;
  const { testResults } = JSON.parse(readFileSync(output, "utf8")) as Report;
  for (const { name, status, assertionResults } of testResults) {
    const file = name.replaceAll("\\", "/").split("/test/").at(-1)!;
    const failed = assertionResults.find((each) => each.status === "failed");
    if (failed) return `${file}: ${failed.fullName.trim()}`;
    if (status === "failed") return `${file}: the file as a whole`;
  }
  return status === 0 ? undefined : `${tests.join(", ")}: what is checked after the tests`;
}
