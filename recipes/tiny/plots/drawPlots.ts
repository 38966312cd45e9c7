/**
 * Plots of a recipe's folder and of an evaluation, as SVG: how the stages learnt, and what examples in the prompt do.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Figure } from "../evaluate/figures.js";

/** What is drawn of a stage's log: numbers by their names there, and what a reader finds them under. */
interface Stage {
  readonly name: string;
  readonly title: string;
  readonly losses: Readonly<Record<string, string>>;
  readonly shares: Readonly<Record<string, string>>;
}

const stages: readonly Stage[] = [
  {
    name: "language",
    title: "Language model",
    losses: { loss: "loss" },
    shares: { bindings_right: "new names said again" },
  },
  {
    name: "clip",
    title: "Image encoder",
    losses: {
      contrastive: "images and texts",
      classification: "names of images",
      patches: "names of patches",
      means: "names of all patches together",
    },
    shares: {
      ...{ drawn: "drawn things", openmoji: "OpenMoji", cifar: "CIFAR-10", tiny_imagenet: "Tiny ImageNet" },
      ...{ "drawn by patches": "drawn things, by patches", "openmoji by patches": "OpenMoji, by patches" },
    },
  },
  {
    name: "connectors",
    title: "Connectors",
    losses: { loss_laion: "images with a text", loss_mmc4: "documents" },
    shares: {},
  },
];

interface Point {
  readonly step: number;
  readonly value: number;
  readonly what: string;
  /** 1, 2, … where a stage is trained in cycles: a curve does not go on from one to the next. */
  readonly cycle: number;
}

type Row = Readonly<Record<string, number>> & { readonly step: number };

/** The logs of a stage, or of each of its cycles that has begun, their steps counted on. */
function rowsOf(work: string, { name }: Stage): readonly (readonly Row[])[] {
  const logs = readdirSync(work)
    .filter((each) => each === name || new RegExp(`^${name}-\\d+$`).test(each))
    .sort()
    .map((each) => join(work, each, "log.jsonl"))
    .filter((path) => existsSync(path));
  let before = 0;
  return logs.map((path) => {
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const rows = lines.map((line): Row => {
      const row = JSON.parse(line) as Row;
      return { ...row, step: before + row.step };
    });
    before = rows.at(-1)!.step;
    return rows;
  });
}

const pointsOf = (
  logs: readonly (readonly Row[])[],
  names: Readonly<Record<string, string>>,
): readonly Point[] =>
  logs.flatMap((rows, i) =>
    rows.flatMap((row) =>
      Object.entries(names).flatMap(([name, what]) =>
        row[name] === undefined ? [] : [{ step: row.step, value: row[name], what, cycle: i + 1 }],
      ),
    ),
  );

type Part = Extract<TopLevelSpec, { hconcat: unknown }>["hconcat"][number];

/** A field as a position. */
type Channel = { readonly field: string; readonly type: "quantitative" } & Record<string, unknown>;

const size = { width: 300, height: 200 } as const;
const step = { field: "step", type: "quantitative", title: "step", scale: { zero: true } } as const;
const ofCurve = {
  x: step,
  color: {
    field: "what",
    type: "nominal",
    title: null,
    legend: { orient: "bottom", columns: 2, labelLimit: 0 },
  },
  detail: { field: "cycle", type: "nominal" },
} as const;

/** Single steps are noisy: a point is the mean of some, so that a curve has about 100. */
function lossesOf(title: string, points: readonly Point[]): Part {
  const width = Math.max(...points.map((each) => each.step)) / 100;
  const values = points.map((each) => ({ ...each, step: Math.ceil(each.step / width) * width }));
  return {
    ...{ title: `${title}: loss`, ...size, data: { values } },
    mark: { type: "line", strokeWidth: 1.5 },
    encoding: {
      ...ofCurve,
      y: { field: "value", type: "quantitative", aggregate: "mean", title: null, scale: { zero: false } },
    },
  };
}

const sharesOf = (title: string, points: readonly Point[]): Part => ({
  ...{ title: `${title}: share right`, ...size, data: { values: points } },
  mark: { type: "line", point: { size: 12 } },
  encoding: {
    ...ofCurve,
    y: { field: "value", type: "quantitative", title: null, axis: { format: "%" } },
  },
});

/** Score against shots, with intervals. */
function shotsOf(figures: readonly Figure[]): TopLevelSpec {
  const values = figures.flatMap(({ about, name, share, low, high }) => {
    if (!about || Number.isNaN(share)) return [];
    const ways = about.ways === undefined ? "" : `, ${about.ways}-way`;
    return { shots: about.shots, kind: `${about.kind}${ways}`, measure: name, share, low, high };
  });
  const y = {
    field: "share",
    type: "quantitative",
    title: null,
    axis: { format: "%" },
    scale: { domain: [0, 1] },
  } satisfies Channel;
  const x = {
    field: "shots",
    type: "quantitative",
    title: "examples in the prompt",
    axis: { values: [0, 2, 4, 8, 16] },
  } satisfies Channel;
  const color = { field: "measure", type: "nominal", title: null, legend: { orient: "bottom" } } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    data: { values },
    facet: { field: "kind", type: "nominal", title: null },
    columns: 4,
    spec: {
      ...{ width: 170, height: 140 },
      layer: [
        { mark: { type: "line", point: true }, encoding: { x, y, color } },
        { mark: "rule", encoding: { x, color, y: { ...y, field: "low" }, y2: { field: "high" } } },
      ],
    },
  };
}

async function draw(path: string, spec: TopLevelSpec): Promise<void> {
  const view = new View(parse(compile({ ...spec, background: "white" }).spec), { renderer: "none" });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${await view.toSVG()}\n`);
}

/** @param folder what `recipe.ts` worked in; @returns whether it has a log of any stage */
export async function drawLearning(folder: string, path: string): Promise<boolean> {
  const parts = stages.flatMap((stage) => {
    const logs = rowsOf(join(folder, "work"), stage);
    const [losses, shares] = [pointsOf(logs, stage.losses), pointsOf(logs, stage.shares)];
    return [
      ...(losses.length > 0 ? [lossesOf(stage.title, losses)] : []),
      ...(shares.length > 0 ? [sharesOf(stage.title, shares)] : []),
    ];
  });
  if (parts.length === 0) return false;
  await draw(path, { concat: parts, columns: 2, resolve: { scale: { color: "independent" } } });
  return true;
}

/** @param report `report.json` of an evaluation */
export const drawShots = async (report: string, path: string): Promise<void> =>
  draw(path, shotsOf((JSON.parse(await readFile(report, "utf8")) as { figures: Figure[] }).figures));
