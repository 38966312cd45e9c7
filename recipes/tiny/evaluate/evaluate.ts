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
import { evaluateFolder, evaluationDefaults } from "./evaluateFolder.js";

const { queries, output, seed, size, sheet } = evaluationDefaults;
const { values: given, positionals } = parseArgs({
  options: {
    tasks: { type: "string" },
    queries: { type: "string", default: String(queries) },
    photographs: { type: "string" },
    output: { type: "string", default: output },
    seed: { type: "string", default: String(seed) },
    size: { type: "string", default: String(size) },
    sheet: { type: "string", default: sheet.join(",") },
    threads: { type: "string" },
  },
  allowPositionals: true,
});

function whole(name: "queries" | "seed" | "size" | "threads", least: number): number {
  const value = Number(given[name]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} is ${given[name]}; it must be a whole number from ${least} on`);
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("stopped; the same command goes on from here")));
try {
  const [folder, ...more] = positionals;
  if (more.length > 0) throw new Error(`one model at a time, not ${more.join(" ")} too`);
  const { markdown } = await evaluateFolder({
    folder,
    tasks: given.tasks?.split(","),
    photographs: given.photographs,
    output: given.output,
    sheet: given.sheet.split(","),
    ...{ queries: whole("queries", 1), seed: whole("seed", 0), size: whole("size", 16) },
    threads: given.threads === undefined ? undefined : whole("threads", 1),
    signal: stop.signal,
  });
  console.log(markdown);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof OpenFlamingoError) console.error(error.hint);
  process.exitCode = 1;
}
