/**
 * Changes the source in places where a test must notice, one change at a time, and runs the tests that must fail:
 *
 *     npx tsx scripts/mutants.ts [PATTERN]
 *
 * The pattern is a regular expression: only mutants whose table, file or description has it are run. Everything happens
 * in a copy of the repository. The tests must pass there unchanged, before they are tried with a change. What is
 * printed is a table in Markdown, as it stands in docs/reliability.md; the status is 1 where a mutant survives that
 * should not, or the reverse, and where the text that is to be changed is not in its file just once.
 */
import { fileURLToPath } from "node:url";
import { checkpoints } from "./mutants/checkpoints.js";
import { copyRepository, type RepositoryCopy } from "./mutants/copy.js";
import { data } from "./mutants/data.js";
import { generate } from "./mutants/generate.js";
import { images } from "./mutants/images.js";
import { models } from "./mutants/models.js";
import type { Mutant } from "./mutants/mutant.js";
import { pack } from "./mutants/pack.js";
import { review } from "./mutants/review.js";
import { runFolder } from "./mutants/runFolder.js";
import { runner } from "./mutants/runner.js";
import { training } from "./mutants/training.js";

const tables = { review, generate, runner, models, images, checkpoints, data, pack, runFolder, training };

/** Files of tests that have passed without any change. */
const passed = new Set<string>();
const pattern = new RegExp(process.argv[2] ?? "");
const copy = copyRepository(fileURLToPath(new URL("..", import.meta.url)));
try {
  let [count, killed] = [0, 0];
  for (const [area, mutants] of Object.entries(tables)) {
    const chosen = mutants.filter(({ file, what }) => [area, file, what].some((text) => pattern.test(text)));
    if (chosen.length === 0) continue;
    console.log(`\n| ${area}: what is changed | in | seconds | killed by |\n|---|---|---|---|`);
    for (const mutant of chosen) {
      count++;
      if (isKilled(mutant, copy)) killed++;
      else if (mutant.survives === undefined) process.exitCode = 1;
    }
  }
  console.log(`\n${killed} of ${count} killed`);
  if (count === 0) process.exitCode = 1;
} finally {
  copy.remove();
}

/** Whether a test notices the change; prints the line of the table. */
function isKilled(mutant: Mutant, copy: RepositoryCopy): boolean {
  const { what, file, tests, survives } = mutant;
  const untried = tests.filter((test) => !passed.has(test));
  const before = untried.length > 0 ? copy.firstFailure(untried) : undefined;
  if (before !== undefined) throw new Error(`a test fails without any change: ${before}`);
  for (const test of untried) passed.add(test);

  const start = performance.now();
  const failure = copy.failureOf(mutant);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const result = failure ?? `**survives**: ${survives ?? "no test notices it"}`;
  const cells = [what, `\`${file}\``, seconds, result];
  console.log(`| ${cells.map((text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`);
  if (failure !== undefined && survives !== undefined) process.exitCode = 1; // it can be listed as killed
  return failure !== undefined;
}
