/** From answers to figures: the share of right ones for each measure, and for the parts of a task. */

import { groupedBy } from "../world/groupedBy.js";
import type { Answered } from "./answersFile.js";
import { type Share, shareOf } from "./interval.js";
import type { Measure, Task } from "./task.js";

export interface TaskAnswers {
  readonly task: Pick<Task, "name" | "measures" | "about">;
  readonly answered: readonly Answered[];
}

export interface Figure extends Measure, Share {
  readonly task: string;
  /** Of the measure. */
  readonly name: string;
  readonly about?: Task["about"];
  /** Queries that did not fit into the model, and count as wrong. */
  readonly tooLong: number;
  /** By respect, then by part: `{ things: { "1": …, "2": … } }`. */
  readonly parts: Readonly<Record<string, Readonly<Record<string, Share>>>>;
}

/** The figures of a task, in the order of its measures. */
export const figuresOf = ({ task, answered }: TaskAnswers): readonly Figure[] =>
  task.measures.map((measure) => ({
    ...measure,
    ...shareOfAnswers(answered, measure),
    task: task.name,
    ...(task.about && { about: task.about }),
    tooLong: answered.filter(({ error }) => error).length,
    parts: partsOf(answered, measure),
  }));

const shareOfAnswers = (answered: readonly Answered[], { name }: Measure): Share =>
  shareOf(answered.filter(({ right }) => right[name]).length, answered.length);

function partsOf(answered: readonly Answered[], measure: Measure): Figure["parts"] {
  const respects = Object.keys(answered[0]?.parts ?? {});
  return Object.fromEntries(
    respects.map((respect) => {
      const groups = [...groupedBy(answered, ({ parts }) => parts?.[respect] ?? "")];
      const shares = groups.map(([part, of]) => [part, shareOfAnswers(of, measure)] as const);
      return [respect, Object.fromEntries(shares.sort(([a], [b]) => (a < b ? -1 : 1)))];
    }),
  );
}
