/** A report of quality, as a table and as JSON. */
import type { ModelReport } from "../api/reportQuality.node.js";
import { shownSize } from "../base/bytes.js";
import { rowsOf } from "./table.js";

export function shownReport({ samples, reference, tokens, formats, tooLarge }: ModelReport): string {
  const isWeighted = formats.some(({ weightedErrors }) => weightedErrors.size > 0);
  const first = formats[0]!;
  const head = [
    ...["weights", "error: median", "largest"],
    ...(isWeighted ? ["weighted: median", "largest"] : []),
    ...["loss", "change", "divergence", "other answers", "other tokens"],
  ];
  const rows = formats.map((each) => [
    each.name,
    ...spreadOf(each.errors),
    ...(isWeighted ? spreadOf(each.weightedErrors) : []),
    each.loss.toFixed(4),
    each === first ? "" : signed(each.loss - first.loss),
    each === first ? "" : each.divergence.toFixed(4),
    `${each.changedAnswers} of ${samples}`,
    `${each.changedTokens} of ${tokens}`,
  ]);
  const left = tooLarge.map(
    ({ name, needed }) => `${name} is left out: it needs ${shownSize(needed)} of memory`,
  );
  const compared = `${samples} ${samples === 1 ? "text" : "texts"}, compared with ${reference}`;
  return [compared, ...left, rowsOf([head, ...rows])].join("\n");
}

export const jsonOfReport = ({ formats, ...report }: ModelReport) => ({
  ...report,
  formats: formats.map(({ errors, weightedErrors, ...format }) => ({
    ...format,
    errors: Object.fromEntries(errors),
    weightedErrors: Object.fromEntries(weightedErrors),
  })),
});

/** Median and largest. */
function spreadOf(errors: ReadonlyMap<string, number>): readonly [string, string] {
  const sorted = [...errors.values()].sort((a, b) => a - b);
  if (sorted.length === 0) return ["", ""];
  const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
  return [shownError(median), shownError(sorted.at(-1)!)];
}

const shownError = (error: number): string => error.toPrecision(2);
const signed = (change: number): string => `${change < 0 ? "" : "+"}${change.toFixed(4)}`;
