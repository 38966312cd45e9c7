/** From the scores of labels to classifications. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import type { Classification } from "./flamingo.js";

/** @throws OpenFlamingoError `usage` unless it is a list of texts */
export function requireLabels(labels: unknown): asserts labels is readonly string[] {
  const wrong = (what: string) =>
    new OpenFlamingoError("usage", `classify: ${what}`, { hint: 'Labels are a list: ["a cat", "a dog"].' });
  if (!Array.isArray(labels)) throw wrong(`the labels are ${quoted(labels)}; they must be a list of texts`);
  if (labels.length === 0) throw wrong("there are no labels");
  for (const [i, label] of labels.entries()) {
    if (typeof label !== "string") throw wrong(`label ${i} is ${quoted(label)}; it must be a text`);
  }
}

/** Labels with their log-probabilities, best first; of equal ones in the order that they were given in. */
export function classificationsOf<Label extends string>(
  labels: readonly Label[],
  logProbs: readonly number[],
): readonly Classification<Label>[] {
  const best = Math.max(...logProbs);
  const sum = logProbs.reduce((total, logProb) => total + Math.exp(logProb - best), 0);
  return labels
    .map((label, i) => {
      const logProb = logProbs[i]!;
      return { label, logProb, probability: Math.exp(logProb - best) / sum };
    })
    .sort((a, b) => b.logProb - a.logProb);
}
