/**
 * How good is a model of this recipe? Every row of the table that the recipe aims at, on images that no training sees.
 *
 *     npx tsx recipes/tiny/evaluate/evaluate.ts [MODEL] [--tasks things,scenes,names-image-image] [--queries 1000]
 *       [--photographs FOLDER] [--output FOLDER] [--seed 1000] [--size 64] [--sheet things,scenes,questions]
 *
 * MODEL is a model's folder; left out, the model that comes with the package. FOLDER of `--photographs` holds `cifar10`,
 * `tinyimagenet` and `omniglot`; what is not there is not asked. The output has `report.md`, `report.json`, `sheet.png`
 * and `answers/TASK.jsonl`; a second call with the same output goes on where the first was stopped.
 *
 * The sheet has no photographs and no drawings of OpenMoji unless they are asked for: their licences would go with it.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { OpenFlamingoError } from "../../../src/base/errors.js";
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { contactSheet } from "./contactSheet.js";
import { digestOf, openForEvaluation } from "./openModel.js";
import { progressLine } from "./progressLine.js";
import { reportOf } from "./report.js";
import { runTask } from "./runTask.js";
import type { Task } from "./task.js";
import { selected, tasksOf } from "./tasks.js";
import { readTestSets } from "./testSets.node.js";

const { values: given, positionals } = parseArgs({
  options: {
    tasks: { type: "string" },
    queries: { type: "string", default: "1000" },
    photographs: { type: "string" },
    output: { type: "string", default: "evaluation" },
    // Not what training is likely to be given: whatever it looks at while it runs, these queries are others.
    seed: { type: "string", default: "1000" },
    size: { type: "string", default: "64" },
    sheet: { type: "string", default: "things,scenes,questions" },
    threads: { type: "string" },
  },
  allowPositionals: true,
});
const whole = (name: "queries" | "seed" | "size" | "threads", least: number): number => {
  const value = Number(given[name]);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} ${given[name]}`);
  return value;
};
const [folder] = positionals;
const [queries, seed, size] = [whole("queries", 1), whole("seed", 0), whole("size", 16)];

const { tasks, missing } = await readTasks();
const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("stopped; the same command goes on")));
const flamingo = await openForEvaluation(folder, {
  ...(given.threads !== undefined && { threads: whole("threads", 1) }),
});
try {
  const header = { seed, size, model: await digestOf(folder) };
  const answers = [];
  for (const task of tasks) {
    const answered = await runTask(flamingo, task, {
      queries,
      path: join(given.output, "answers", `${task.name}.jsonl`),
      header: { task: task.name, ...header },
      progress: progressLine(task.name),
      signal: stop.signal,
    });
    answers.push({ task, answered });
  }
  const model = { name: flamingo.name, digest: header.model, backend: flamingo.backend };
  const { markdown, json } = reportOf({ model, seed, missing, answers });
  await mkdir(given.output, { recursive: true });
  await writeFile(join(given.output, "report.md"), markdown);
  await writeFile(join(given.output, "report.json"), json);
  const forSheet = answers.filter(({ task }) => given.sheet.split(",").includes(task.name));
  if (forSheet.length > 0)
    await writeFile(join(given.output, "sheet.png"), await contactSheet(forSheet, { seed }));
  console.log(markdown);
} catch (error) {
  if (!(error instanceof OpenFlamingoError)) throw error;
  console.error(`${error.message}\n${error.hint}`);
  process.exitCode = 1;
} finally {
  await flamingo.close();
}

/** The tasks that are asked for, and what is lacking of them. */
async function readTasks(): Promise<{ tasks: readonly Task[]; missing: readonly string[] }> {
  const things = await loadThings();
  const sprites = await openSprites(things, { progress: progressLine("rendering drawings") });
  const names = given.tasks?.split(",");
  const isWanted = (name: string) => !names || names.some((each) => each.startsWith(name));
  const { sets, missing } = await readTestSets(given.photographs, { isWanted, progress: progressLine });
  return {
    tasks: selected(
      tasksOf({ things, sprites, seed, size }, sets),
      names?.filter((name) => !missing.some((each) => name.startsWith(each))),
    ),
    missing,
  };
}
