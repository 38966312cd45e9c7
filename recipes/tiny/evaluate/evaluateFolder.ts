/** An evaluation of a model's folder: the drawn world and the test sets, the tasks that are wanted, the answers. */
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { evaluateModel } from "./evaluateModel.js";
import { digestOf, openForEvaluation } from "./openModel.js";
import { progressLine } from "./progressLine.js";
import type { Report } from "./report.js";
import { selected, tasksOf } from "./tasks.js";
import { readTestSets } from "./testSets.node.js";

export interface FolderEvaluation {
  /** Of the model. Default: the one that comes with the package. */
  readonly folder?: string | undefined;
  /** Names of tasks, or beginnings of them. Default: all. */
  readonly tasks?: readonly string[] | undefined;
  /** For each task. */
  readonly queries: number;
  /** With `cifar10`, `tinyimagenet` and `omniglot`; what is not there is not asked. */
  readonly photographs?: string | undefined;
  /** As `evaluateModel` has it. */
  readonly output: string;
  readonly seed: number;
  /** Pixels a side. */
  readonly size: number;
  readonly sheet: readonly string[];
  /** Default: all cores. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal;
}

/** What an evaluation is when nobody says otherwise. */
export const evaluationDefaults = {
  queries: 1000,
  output: "evaluation",
  // Not what training is likely to be given: whatever it looks at while it runs, these queries are others.
  seed: 1000,
  size: 64,
  // No photographs and no drawings of OpenMoji: their licences would go with the sheet.
  sheet: ["things", "scenes", "questions"],
} as const;

/** @throws as `load` and `evaluateModel` */
export async function evaluateFolder(options: FolderEvaluation): Promise<Report> {
  const { folder, tasks: names, queries, photographs, output, seed, size, sheet, threads, signal } = options;
  const isWanted = (set: string) =>
    !names || names.some((name) => name.includes(set) || (name === "shots" && set === "cifar10"));
  const { sets, missing } = await readTestSets(photographs, { isWanted, progress: progressLine });
  const things = await loadThings();
  const sprites = await openSprites(things, { progress: progressLine("rendering drawings") });
  const tasks = selected(
    tasksOf({ things, sprites, seed, size }, sets),
    names?.filter((name) => !missing.some((each) => name.includes(each))),
  );
  const flamingo = await openForEvaluation(folder, threads === undefined ? {} : { threads });
  try {
    return await evaluateModel(flamingo, tasks, {
      ...{ seed, size, queries, missing, output, sheet },
      digest: await digestOf(folder),
      progress: progressLine,
      ...(signal && { signal }),
    });
  } finally {
    await flamingo.close();
  }
}
