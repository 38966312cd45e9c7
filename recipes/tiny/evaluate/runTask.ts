/** Asks a model all queries of a task and keeps what it says. */
import { createHash } from "node:crypto";
import type { Flamingo } from "../../../src/api/flamingo.js";
import { OpenFlamingoError } from "../../../src/base/errors.js";
import { mapInOrder } from "../../../src/base/mapInOrder.js";
import { type Answered, type AnswersHeader, openAnswers } from "./answersFile.js";
import type { Query, Said, Task } from "./task.js";

export interface RunOptions {
  /** How many are to be answered in all, with those that are answered already. A task that has fewer gives all. */
  readonly queries: number;
  /** Of the file of answers; its folder is made. */
  readonly path: string;
  readonly header: Omit<AnswersHeader, "queries">;
  /** Called after each answer. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Stops between two answers; what is answered stays in the file. */
  readonly signal?: AbortSignal | undefined;
}

/** Images of so many queries are drawn ahead, while the model works on one. */
const ahead = 4;

/**
 * @returns answers 0, 1, 2, …; at most `queries` of those that the file has had already
 * @throws OpenFlamingoError as `generate`, but where a prompt is too long: that is a wrong answer
 */
export async function runTask(
  flamingo: Pick<Flamingo, "generate" | "rank">,
  task: Task,
  { queries, path, header, progress, signal }: RunOptions,
): Promise<readonly Answered[]> {
  const total = Math.min(queries, task.most ?? queries);
  const file = await openAnswers(path, { ...header, queries: digestOfQuery(await task.query(0)) });
  try {
    const answered = file.answered.slice(0, total);
    const first = answered.length;
    const open = Array.from({ length: total - first }, (_, i) => first + i);
    let index = first;
    for await (const query of mapInOrder(open, ahead, (each) => task.query(each))) {
      signal?.throwIfAborted();
      const said = await answer(flamingo, task, query);
      const record = recordOf(index++, query, said);
      await file.append(record);
      answered.push(record);
      progress?.(answered.length, total);
    }
    return answered;
  } finally {
    await file.close();
  }
}

function digestOfQuery({ prompt, accepted, choices, images }: Query): string {
  const digest = createHash("sha256").update(JSON.stringify({ prompt, accepted, choices }));
  for (const image of images) digest.update(image);
  return digest.digest("hex").slice(0, 16);
}

type Outcome = Said & Pick<Answered, "error">;

async function answer(
  flamingo: Pick<Flamingo, "generate" | "rank">,
  { maxNewTokens }: Task,
  { prompt, images, choices }: Query,
): Promise<Outcome> {
  try {
    const { text } = await flamingo.generate(prompt, { images, maxNewTokens });
    const said = { text: text.trim() };
    return choices ? { ...said, logProbs: await flamingo.rank(prompt, choices, { images }) } : said;
  } catch (error) {
    if (error instanceof OpenFlamingoError && error.code === "prompt-too-long")
      return { text: "", error: error.code };
    throw error;
  }
}

function recordOf(index: number, query: Query, said: Outcome): Answered {
  const { prompt, accepted, parts, choices = [] } = query;
  const { text, logProbs, error } = said;
  return {
    index,
    prompt,
    accepted,
    ...(parts && { parts }),
    text,
    ...(logProbs && { ranked: best(choices, logProbs) }),
    right: query.judge(said),
    ...(error && { error }),
  };
}

const best = (choices: readonly string[], logProbs: readonly number[]): readonly string[] =>
  choices
    .map((choice, i) => ({ choice, logProb: logProbs[i]! }))
    .sort((a, b) => b.logProb - a.logProb)
    .slice(0, 5)
    .map(({ choice }) => choice);
