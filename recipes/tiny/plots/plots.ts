/**
 * Plots of a recipe's folder, as SVG: how its stages learnt and, where it was evaluated, what examples in the prompt do.
 *
 *     npx tsx recipes/tiny/plots/plots.ts FOLDER OUTPUT [--evaluation FOLDER]
 *
 * Writes `learning.svg` and `shots.svg` into OUTPUT. FOLDER is what `recipe.ts` worked in; EVALUATION, what `evaluate.ts`
 * wrote, is FOLDER/evaluation when left out.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Figure } from "../evaluate/figures.js";

const { values: given, positionals } = parseArgs({
  options: { evaluation: { type: "string" } },
  allowPositionals: true,
});
const [folder, output] = positionals;
if (!folder || !output) throw new Error("usage: plots.ts FOLDER OUTPUT [--evaluation FOLDER]");

const ofClip = {
  losses: {
    contrastive: "contrastive loss",
    classification: "classes of images",
    patches: "classes of patches",
    means: "classes of all patches together",
  },
  shares: {
    ...{ drawn: "drawn things", openmoji: "OpenMoji", cifar: "CIFAR-10", tiny_imagenet: "Tiny ImageNet" },
    ...{ "drawn by patches": "drawn things, by patches", "openmoji by patches": "OpenMoji, by patches" },
  },
};

const ofConnectors = {
  losses: { loss_laion: "images with a text", loss_mmc4: "documents" },
  shares: {},
};

/** What is drawn of a stage's log: numbers by their names there, and what a reader is told. */
const stages: readonly Stage[] = [
  {
    name: "language",
    title: "Language model",
    losses: { loss: "loss" },
    shares: { bindings_right: "new names said again" },
  },
  ...cyclesOf("clip", "CLIP", ofClip),
  ...cyclesOf("connectors", "Connectors", ofConnectors),
];

/** Each of a stage's cycles that has begun. */
function cyclesOf(name: string, title: string, of: Pick<Stage, "losses" | "shares">): Stage[] {
  const folders = readdirSync(join(folder!, "work")).filter((each) => each.startsWith(`${name}-`));
  return folders.sort().map((each) => ({ name: each, title: `${title}, cycle ${each.at(-1)}`, ...of }));
}

interface Stage {
  readonly name: string;
  readonly title: string;
  readonly losses: Readonly<Record<string, string>>;
  readonly shares: Readonly<Record<string, string>>;
}

interface Point {
  readonly step: number;
  readonly value: number;
  readonly what: string;
}

function pointsOf(stage: string, names: Readonly<Record<string, string>>): readonly Point[] {
  const path = join(folder!, "work", stage, "log.jsonl");
  if (!existsSync(path)) return [];
  const rows = readFileSync(path, "utf8").trimEnd().split("\n");
  return rows.flatMap((row) => {
    const values = JSON.parse(row) as Record<string, number>;
    return Object.entries(names).flatMap(([name, what]) =>
      values[name] === undefined ? [] : [{ step: values.step!, value: values[name], what }],
    );
  });
}

type Part = Extract<TopLevelSpec, { hconcat: unknown }>["hconcat"][number];

/** A field as a position. */
type Channel = { readonly field: string; readonly type: "quantitative" } & Record<string, unknown>;

const size = { width: 260, height: 180 } as const;
const step = { field: "step", type: "quantitative", title: "step" } as const;
const colour = {
  field: "what",
  type: "nominal",
  title: null,
  legend: { orient: "bottom", columns: 2 },
} as const;

/** Single steps are noisy: a point is the mean of some, so that a curve has about 60. */
function lossesOf({ name, title, losses }: Stage): Part | undefined {
  const values = pointsOf(name, losses);
  if (values.length === 0) return undefined;
  const width = Math.max(...values.map((each) => each.step)) / 60;
  const meaned = values.map((each) => ({ ...each, step: Math.ceil(each.step / width) * width }));
  return {
    ...{
      title: `${title}: loss`,
      ...size,
      data: { values: meaned },
      mark: { type: "line", strokeWidth: 1.5 },
    },
    encoding: {
      ...{ x: step, color: colour },
      y: { field: "value", type: "quantitative", aggregate: "mean", title: null, scale: { zero: false } },
    },
  };
}

function sharesOf({ name, title, shares }: Stage): Part | undefined {
  const values = pointsOf(name, shares);
  if (values.length === 0) return undefined;
  return {
    ...{ title: `${title}: share right`, ...size, data: { values }, mark: { type: "line", point: true } },
    encoding: {
      x: step,
      color: colour,
      y: { field: "value", type: "quantitative", title: null, axis: { format: "%" } },
    },
  };
}

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

async function draw(name: string, spec: TopLevelSpec): Promise<void> {
  const view = new View(parse(compile({ ...spec, background: "white" }).spec), { renderer: "none" });
  await writeFile(join(output!, name), `${await view.toSVG()}\n`);
  console.log(join(output!, name));
}

await mkdir(output, { recursive: true });
const parts = stages
  .flatMap((stage) => [lossesOf(stage), sharesOf(stage)])
  .filter((part) => part !== undefined);
if (parts.length > 0) {
  await draw("learning.svg", { concat: parts, columns: 2, resolve: { scale: { color: "independent" } } });
}
const report = join(given.evaluation ?? join(folder, "evaluation"), "report.json");
if (existsSync(report)) {
  await draw(
    "shots.svg",
    shotsOf((JSON.parse(readFileSync(report, "utf8")) as { figures: Figure[] }).figures),
  );
}
