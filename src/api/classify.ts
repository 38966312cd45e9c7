/** Labels as they are given, and from their scores to classifications. */
import { answersReader } from "../generate/rank.js";
import type { Classification } from "./flamingo.js";
import { readOptions } from "./readOptions.js";

/**
 * The answers, or labels, of a call as a program gives them.
 *
 * @param call its name, and the name of what it takes, for messages
 * @throws OpenFlamingoError `usage` unless it is a list of texts, at least one and not too many
 */
export function readAnswers(call: "classify" | "rank", name: string, answers: unknown): readonly string[] {
  return readOptions(call, { [name]: answersReader }, { [name]: answers })[name]!;
}

/** Labels with their log-probabilities, best first; of equal ones in the order that they were given in. */
export function classificationsOf<Label extends string>(
  labels: readonly Label[],
  logProbs: readonly number[],
): readonly Classification<Label>[] {
  const best = logProbs.reduce((most, logProb) => Math.max(most, logProb), Number.NEGATIVE_INFINITY);
  const sum = logProbs.reduce((total, logProb) => total + Math.exp(logProb - best), 0);
  return labels
    .map((label, i) => {
      const logProb = logProbs[i]!;
      return { label, logProb, probability: Math.exp(logProb - best) / sum };
    })
    .sort((a, b) => b.logProb - a.logProb);
}
