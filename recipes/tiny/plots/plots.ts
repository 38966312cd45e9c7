/**
 * Plots of a recipe's folder: how its stages learnt and, where it was evaluated, what examples in the prompt do.
 *
 *     npx tsx recipes/tiny/plots/plots.ts FOLDER OUTPUT [--evaluation FOLDER]
 *
 * Writes `learning.svg` and `shots.svg` into OUTPUT. FOLDER is what `recipe.ts` worked in; EVALUATION, what `evaluate.ts`
 * wrote, is FOLDER/evaluation when left out.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { drawLearning, drawShots } from "./drawPlots.js";

const { values: given, positionals } = parseArgs({
  options: { evaluation: { type: "string" } },
  allowPositionals: true,
});
const [folder, output] = positionals;
if (!folder || !output) throw new Error("usage: plots.ts FOLDER OUTPUT [--evaluation FOLDER]");

const learning = join(output, "learning.svg");
if (await drawLearning(folder, learning)) console.log(learning);
const report = join(given.evaluation ?? join(folder, "evaluation"), "report.json");
if (existsSync(report)) {
  const shots = join(output, "shots.svg");
  await drawShots(report, shots);
  console.log(shots);
}
