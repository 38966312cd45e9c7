/**
 * The answers to a task as JSON lines: the first says what they are answers to, then one for each query. An evaluation
 * that was killed goes on behind the last whole line.
 */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

/** What the answers depend on, but how many there are. */
export interface AnswersHeader {
  readonly task: string;
  readonly seed: number;
  /** Of drawn images, in pixels a side. */
  readonly size: number;
  /** Which model: a digest of its files. */
  readonly model: string;
  /** A digest of the task's first query: another one where drawings, words or photographs changed. */
  readonly queries: string;
}

/** To be raised when the lines come to have another form. */
const form = 1;

/** One query with its answer. */
export interface Answered {
  /** Counts from 0. */
  readonly index: number;
  readonly prompt: string;
  readonly accepted: readonly string[];
  readonly parts?: Readonly<Record<string, string>>;
  /** What was generated. */
  readonly text: string;
  /** The best of the choices, the most probable first, at most five. */
  readonly ranked?: readonly string[];
  /** By the task's measures. */
  readonly right: Readonly<Record<string, boolean>>;
  /** Why there is no answer: the prompt does not fit into the model. */
  readonly error?: "prompt-too-long";
}

export interface AnswersFile {
  /** Those that are there already. */
  readonly answered: readonly Answered[];
  append(answered: Answered): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the file, or begins it. What follows the last whole line is cut off.
 *
 * @throws Error where it holds answers to something else
 */
export async function openAnswers(path: string, header: AnswersHeader): Promise<AnswersFile> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a+");
  try {
    const text = await file.readFile("utf8");
    const lines = text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .slice(0, -1);
    const first = JSON.stringify({ form, ...header });
    if (lines.length > 0 && lines[0] !== first) {
      throw new Error(
        `${path} holds answers to other queries or of another model (${lines[0]}, now ${first}); name another folder, or remove it`,
      );
    }
    await file.truncate(Buffer.byteLength(lines.map((line) => `${line}\n`).join("")));
    if (lines.length === 0) await file.appendFile(`${first}\n`);
    return {
      answered: lines.slice(1).map((line) => JSON.parse(line) as Answered),
      append: (answered) => file.appendFile(`${JSON.stringify(answered)}\n`),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
