/** The figures of an evaluation in Markdown, for people, and in JSON, for plots. */

import { groupedBy } from "../world/groupedBy.js";
import { type Figure, figuresOf, type TaskAnswers } from "./figures.js";
import type { Share } from "./interval.js";

/** What was evaluated. */
export interface Evaluated {
  /** Its name, a digest of its files, and the backend that computed. */
  readonly model: { readonly name: string; readonly digest: string; readonly backend: string };
  readonly seed: number;
  /** Tasks, or beginnings of their names, whose images are not at hand. */
  readonly missing: readonly string[];
  readonly answers: readonly TaskAnswers[];
}

export interface Report {
  readonly markdown: string;
  readonly json: string;
}

export function reportOf({ model, seed, missing, answers }: Evaluated): Report {
  const figures = answers.flatMap(figuresOf);
  const markdown = [
    `# Evaluation of ${model.name}`,
    `On images that it has not seen; greedy decoding, exact match unless said. Model ${model.digest}, seed ${seed}, ${model.backend}.`,
    mainTable(figures.filter(({ isMain }) => isMain)),
    missing.length > 0 ? `Not asked, since the images are not at hand: ${missing.join(", ")}.` : "",
    ...section("Other figures", mainTable(figures.filter((each) => !each.isMain && !each.about))),
    ...section("With examples in the prompt", shotsTable(figures.filter(isOfExamples))),
    ...section("Names learnt from the prompt", shotsTable(figures.filter(isOfNames))),
    ...section("Parts", partsTables(figures.filter(({ about }) => isMainForm(about)))),
  ];
  return {
    markdown: `${markdown.filter((each) => each !== "").join("\n\n")}\n`,
    json: `${JSON.stringify({ model, seed, missing, figures }, undefined, 2)}\n`,
  };
}

const section = (title: string, content: string): readonly string[] =>
  content === "" ? [] : [`## ${title}`, content];

const isOfNames = ({ about }: Figure) => about?.ways !== undefined;
const isOfExamples = ({ about }: Figure) => about !== undefined && about.ways === undefined;
/** Parts of a task with examples are those of the task without. */
const isMainForm = (about: Figure["about"]) => about === undefined || about.shots === 0;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
};

/** A row for a figure, with its interval and what is aimed at. */
export const mainTable = (figures: readonly Figure[]): string =>
  table(
    ["what", "figure", "95% interval", "aim", "queries"],
    figures.map((figure) => [
      figure.what,
      percent(figure.share),
      intervalOf(figure),
      aimOf(figure),
      `${figure.queries}${figure.tooLong > 0 ? ` (${figure.tooLong} too long)` : ""}`,
    ]),
  );

function aimOf({ share, aim, chance }: Figure): string {
  if (aim !== undefined) return `≥ ${percent(aim, 0)}, ${share >= aim ? "met" : "missed"}`;
  return chance === undefined ? "reported" : `reported; chance ${percent(chance, chance < 0.01 ? 1 : 0)}`;
}

/** A row for a kind and a measure, a column for a form. */
function shotsTable(figures: readonly Figure[]): string {
  const formOf = ({ about }: Figure) =>
    about!.ways === undefined ? `${about!.shots} shots` : `${about!.ways}-way, ${about!.shots} shots`;
  const columns = [...groupedBy(figures, formOf).keys()];
  const rows = groupedBy(figures, ({ about, name }) => `${about!.kind}, ${name}`);
  return table(
    ["what, measure", ...columns],
    [...rows].map(([row, of]) => [
      row,
      ...columns.map((column) => {
        const figure = of.find((each) => formOf(each) === column);
        if (!figure) return "";
        if (figure.tooLong === figure.queries) return "too long";
        return short(figure) + (figure.tooLong > 0 ? `, ${figure.tooLong} too long` : "");
      }),
    ]),
  );
}

/** What a model does with examples: a row for what it is asked, a column for how many examples. */
export function examplesTable(figures: readonly Figure[]): string {
  const rows = asked
    .map(([what, isMeant]) => [what, figures.filter(isMeant)] as const)
    .filter(([, of]) => of.length > 0);
  const columns = [...new Set(rows.flatMap(([, of]) => of.map(({ about }) => about!.shots)))].sort(
    (a, b) => a - b,
  );
  return table(
    ["examples in the prompt", ...columns.map(String)],
    rows.map(([what, of]) => [
      what,
      ...columns.map((shots) => {
        const figure = of.find(({ about }) => about!.shots === shots);
        return figure ? short(figure) : "";
      }),
    ]),
  );
}

const asked: readonly (readonly [what: string, isMeant: (figure: Figure) => boolean])[] = [
  [
    "captions of scenes, wholly right",
    ({ about, name }) => about?.kind === "scene captions" && name === "whole",
  ],
  ["questions about scenes", ({ about }) => about?.kind === "scene questions"],
  [
    "CIFAR-10 photographs, first of ten by ranking",
    ({ about, name }) => about?.kind === "CIFAR-10" && name === "first",
  ],
  ["new names for two things, by ranking", (figure) => isOfNewNames(figure, 2)],
  ["new names for four things, by ranking", (figure) => isOfNewNames(figure, 4)],
];

const isOfNewNames = ({ about, name }: Figure, ways: number) =>
  about?.kind === "image-image" && about.ways === ways && name === "ranked";

/** A table for each task and respect: a row for a part, a column for a measure. */
function partsTables(figures: readonly Figure[]): string {
  const tables = [...groupedBy(figures, ({ task }) => task)].flatMap(([task, of]) =>
    Object.entries(of[0]!.parts).map(([respect, parts]) =>
      table(
        [`${task}, by ${respect}`, ...of.map(({ name }) => name), "queries"],
        Object.entries(parts).map(([part, { queries }]) => [
          part,
          ...of.map((figure) => short(figure.parts[respect]![part]!)),
          String(queries),
        ]),
      ),
    ),
  );
  return tables.join("\n\n");
}

const percent = (share: number, digits = 1): string =>
  Number.isNaN(share) ? "–" : `${(100 * share).toFixed(digits)}%`;

const intervalOf = ({ low, high }: Share): string => `${percent(low)} to ${percent(high)}`;

/** "87.2% (85–89)" */
const short = ({ share, low, high }: Share): string =>
  `${percent(share)} (${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)})`;
