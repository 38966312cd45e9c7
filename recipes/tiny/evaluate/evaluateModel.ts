/** An evaluation from the first query to its report: what a model says to all tasks, written to a folder. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Flamingo } from "../../../src/api/flamingo.js";
import { contactSheet } from "./contactSheet.js";
import type { TaskAnswers } from "./figures.js";
import { type Report, reportOf } from "./report.js";
import { runTask } from "./runTask.js";
import type { Task } from "./task.js";

export interface EvaluationOptions {
  /** What the tasks were made with. */
  readonly seed: number;
  readonly size: number;
  /** Of the model's files. */
  readonly digest: string;
  /** For each task. */
  readonly queries: number;
  /** The folder for answers, report and contact sheet; it is made. What is answered there is not asked again. */
  readonly output: string;
  /** Tasks, or beginnings of their names, whose images are not at hand. */
  readonly missing: readonly string[];
  /** The tasks whose images may stand on the contact sheet. Without any there is none. */
  readonly sheet: readonly string[];
  /** Makes a receiver of the progress of a task, with answers. */
  readonly progress?: (task: string) => (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes `answers/TASK.jsonl`, `report.md`, `report.json` and `sheet.png`.
 *
 * @throws as `runTask`; the same call goes on later
 */
export async function evaluateModel(
  flamingo: Pick<Flamingo, "name" | "backend" | "generate" | "rank">,
  tasks: readonly Task[],
  options: EvaluationOptions,
): Promise<Report> {
  const { seed, size, digest, queries, output, missing, sheet, progress, signal } = options;
  const answers: (TaskAnswers & { readonly task: Task })[] = [];
  for (const task of tasks) {
    const answered = await runTask(flamingo, task, {
      queries,
      path: join(output, "answers", `${task.name}.jsonl`),
      header: { task: task.name, seed, size, model: digest },
      progress: progress?.(task.name),
      signal,
    });
    answers.push({ task, answered });
  }
  const { name, backend } = flamingo;
  const report = reportOf({ model: { name, digest, backend }, seed, missing, answers });
  await mkdir(output, { recursive: true });
  await writeFile(join(output, "report.md"), report.markdown);
  await writeFile(join(output, "report.json"), report.json);
  const shown = answers.filter(({ task }) => sheet.includes(task.name));
  if (shown.length > 0) await writeFile(join(output, "sheet.png"), await contactSheet(shown, { seed }));
  return report;
}
