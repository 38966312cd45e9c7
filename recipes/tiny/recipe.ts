/**
 * The recipe: a small OpenFlamingo from nothing. Each stage goes on where it was stopped, and one that is done is left.
 *
 *     npm ci --prefix recipes/tiny
 *     npx tsx recipes/tiny/recipe.ts FOLDER [--stage tokenizer|language] [--short] [--threads N] [--minutes N]
 *
 * FOLDER holds everything: `model/`, a model's folder, and `work/`. `--stage`: that one and those before it which it needs.
 * `--minutes`: ends a stage behind so many minutes, to go on later.
 */
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { shortRecipe, wholeRecipe } from "./settings.js";
import { makeLanguageModel } from "./stages/language.js";
import type { Stage } from "./stages/stage.js";
import { makeTokenizer } from "./stages/tokenizer.js";
import { loadThings } from "./world/things.node.js";

const stageNames = ["tokenizer", "language"] as const;

const { values: given, positionals } = parseArgs({
  options: {
    stage: { type: "string" },
    short: { type: "boolean", default: false },
    threads: { type: "string", default: String(availableParallelism()) },
    minutes: { type: "string" },
  },
  allowPositionals: true,
});
const [folder] = positionals;
const last = stageNames.find((each) => each === (given.stage ?? stageNames.at(-1)));
if (!folder || !last) throw new Error(`usage: recipe.ts FOLDER [--stage ${stageNames.join("|")}] [--short]`);

const [model, work] = [join(folder, "model"), join(folder, "work")];
for (const each of [model, work]) await mkdir(each, { recursive: true });
const runtime = await openOrtFfi();
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
const stage: Stage = {
  ...{ settings: given.short ? shortRecipe : wholeRecipe, things: await loadThings() },
  ...{ folder: model, work, runtime, threads: Number(given.threads), signal: interrupted.signal },
  ...(given.minutes !== undefined && { stopAfterSeconds: 60 * Number(given.minutes) }),
  tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
};

const tokenizer = await makeTokenizer(stage);
if (last === "language") await makeLanguageModel(stage, tokenizer);
await runtime.close();
