/**
 * What the README and `docs/recipe.md` show of the model that ships: its sheet, tables and plots.
 *
 *     npx tsx recipes/tiny/plots/readme.ts --photographs PHOTOGRAPHS [--evaluation FOLDER] [--run FOLDER]
 *
 * Asks the model all tasks (1,000 queries each, an hour or two; what FOLDER of `--evaluation` has already is not asked
 * again), writes the images into `docs/recipe`, and the tables between their marks in both pages. How the stages learnt
 * is drawn where the folder of a run of `recipe.ts` is given.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { evaluateFolder, evaluationDefaults } from "../evaluate/evaluateFolder.js";
import type { Figure } from "../evaluate/figures.js";
import { examplesTable, mainTable } from "../evaluate/report.js";
import { drawLearning, drawShots } from "./drawPlots.js";

const { values: given } = parseArgs({
  options: {
    photographs: { type: "string" },
    evaluation: { type: "string", default: evaluationDefaults.output },
    run: { type: "string" },
  },
});
const root = fileURLToPath(new URL("../../..", import.meta.url));
const shown = join(root, "docs", "recipe");

/**
 * A page with a place between `<!-- NAME -->` and `<!-- end of NAME -->`.
 *
 * @returns writes what is to stand there
 * @throws Error where it has no such place, before anything is asked
 */
async function placeIn(page: string, name: string): Promise<(content: string) => Promise<void>> {
  const path = join(root, page);
  const text = await readFile(path, "utf8");
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for a table: ${begin} and ${end}`);
  return (content) => writeFile(path, `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`);
}

const writeExamples = await placeIn("README.md", "examples");
const writeFigures = await placeIn("docs/recipe.md", "figures");
const { json, markdown } = await evaluateFolder({
  ...evaluationDefaults,
  output: given.evaluation,
  photographs: given.photographs,
});
const { figures } = JSON.parse(json) as { figures: readonly Figure[] };
await drawShots(join(given.evaluation, "report.json"), join(shown, "shots.svg"));
if (given.run !== undefined) await drawLearning(given.run, join(shown, "learning.svg"));
// Few colours: a third of the bytes.
await sharp(join(given.evaluation, "sheet.png")).png({ palette: true }).toFile(join(shown, "sheet.png"));
await writeFile(join(shown, "evaluation.md"), markdown);
await writeExamples(examplesTable(figures));
await writeFigures(mainTable(figures.filter(({ isMain }) => isMain)));
