/**
 * What is asked of a model, what it says, and what of it is right.
 *
 * A task is an endless or long list of queries: query 7 is the same whenever it is asked for, so that an evaluation may
 * stop and go on, and two models are asked the same.
 */

/** One question to a model. */
export interface Query {
  /** With `<image>` for each image, as `generate` takes it. */
  readonly prompt: string;
  /** PNG files, in the order of their `<image>`s. */
  readonly images: readonly Uint8Array[];
  /** Answers that are wanted, the first before all; a task may take others for right too. */
  readonly accepted: readonly string[];
  /** Answers to be ranked after the same prompt. Left out: the model only generates. */
  readonly choices?: readonly string[];
  /** What sets it apart from other queries of its task, by the name of the respect: `{ things: "2" }`. */
  readonly parts?: Readonly<Record<string, string>>;
  /** Whether an answer is right, by the names of the task's measures. */
  judge(said: Said): Readonly<Record<string, boolean>>;
}

/** What a model says. */
export interface Said {
  /** Greedily generated, without what stands around it. */
  readonly text: string;
  /** Of the choices, in their order: the mean log-probability of their tokens. */
  readonly logProbs?: readonly number[];
}

/** A share of right answers that is reported. */
export interface Measure {
  readonly name: string;
  /** What a reader is told: "the name of a thing in a trained style". */
  readonly what: string;
  /** The share that is aimed at, from 0 to 1. */
  readonly aim?: number;
  /** The share that blind choice would have. */
  readonly chance?: number;
  /** Whether it stands in the first table of the report. Default: no. */
  readonly isMain?: boolean;
}

/** What tasks of one kind differ in. */
export interface About {
  readonly kind: string;
  /** Examples in the prompt. */
  readonly shots: number;
  /** How many new names there are. */
  readonly ways?: number;
}

export interface Task {
  /** Of small letters, digits and hyphens: it names a file. */
  readonly name: string;
  readonly measures: readonly Measure[];
  /** The most tokens of an answer. */
  readonly maxNewTokens: number;
  /** How many queries there are. Left out: endless. */
  readonly most?: number;
  /** Its place in a table over several tasks. */
  readonly about?: About;
  /** @param index a whole number from 0 to below `most` */
  query(index: number): Promise<Query>;
}

/** Whether the text is one that is wanted. */
export const isAccepted = (accepted: readonly string[], { text }: Said): boolean =>
  accepted.some((answer) => answer.trim() === text);

/**
 * How many wrong choices are no less probable than the best right one: 0 where a right one comes first. Equal ones count
 * as more probable, so that a model that knows nothing is not right by the order in which choices were given. Without
 * log-probabilities: infinitely many.
 */
export function wrongBefore(
  { accepted, choices = [] }: Pick<Query, "accepted" | "choices">,
  { logProbs }: Said,
): number {
  if (!logProbs) return Number.POSITIVE_INFINITY;
  const isRight = choices.map((choice) => accepted.includes(choice));
  const best = Math.max(...logProbs.filter((_, i) => isRight[i]));
  return logProbs.filter((logProb, i) => !isRight[i] && logProb >= best).length;
}
