/**
 * How good is a model of this recipe? Every row of the table that the recipe aims at, on images that no training sees.
 *
 *     npx tsx recipes/tiny/evaluate/evaluate.ts [MODEL] [--tasks things,scenes,names-image-image,shots]
 *       [--queries 1000] [--photographs FOLDER] [--output FOLDER] [--seed 1000] [--size 64] [--threads N]
 *       [--sheet things,scenes,questions]
 *
 * MODEL is a model's folder; left out, the model that comes with the package. FOLDER of `--photographs` holds `cifar10`,
 * `tinyimagenet` and `omniglot`; what is not there is not asked. The output has `report.md`, `report.json`, `sheet.png`
 * and `answers/TASK.jsonl`; a second call with the same output goes on where the first was stopped.
 *
 * A small model leaves cores idle: two processes with the same output and different tasks may run side by side, and a
 * call with all tasks then makes the report of what both have answered.
 *
 * The sheet has no photographs and no drawings of OpenMoji unless they are asked for: their licences would go with it.
 */
import { parseArgs } from "node:util";
import { OpenFlamingoError } from "../../../src/base/errors.js";
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { evaluateModel } from "./evaluateModel.js";
import { digestOf, openForEvaluation } from "./openModel.js";
import { progressLine } from "./progressLine.js";
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

function whole(name: "queries" | "seed" | "size" | "threads", least: number): number {
  const value = Number(given[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} is ${given[name]}; it must be a whole number from ${least} on`);
}

async function evaluate(signal: AbortSignal): Promise<void> {
  const [folder, ...more] = positionals;
  if (more.length > 0) throw new Error(`one model at a time, not ${more.join(" ")} too`);
  const [queries, seed, size] = [whole("queries", 1), whole("seed", 0), whole("size", 16)];
  const threads = given.threads === undefined ? {} : { threads: whole("threads", 1) };

  const names = given.tasks?.split(",");
  const isWanted = (set: string) =>
    !names || names.some((name) => name.includes(set) || (name === "shots" && set === "cifar10"));
  const { sets, missing } = await readTestSets(given.photographs, { isWanted, progress: progressLine });
  const things = await loadThings();
  const sprites = await openSprites(things, { progress: progressLine("rendering drawings") });
  const tasks = selected(
    tasksOf({ things, sprites, seed, size }, sets),
    names?.filter((name) => !missing.some((each) => name.includes(each))),
  );

  const flamingo = await openForEvaluation(folder, threads);
  try {
    const { markdown } = await evaluateModel(flamingo, tasks, {
      ...{ seed, size, queries, missing, output: given.output, sheet: given.sheet.split(",") },
      digest: await digestOf(folder),
      progress: progressLine,
      signal,
    });
    console.log(markdown);
  } finally {
    await flamingo.close();
  }
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("stopped; the same command goes on from here")));
try {
  await evaluate(stop.signal);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof OpenFlamingoError) console.error(error.hint);
  process.exitCode = 1;
}
