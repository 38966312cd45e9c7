/**
 * The recipe: a small OpenFlamingo from nothing. Each stage goes on where it was stopped, and one that is done is left.
 *
 *     npm ci --prefix recipes/tiny
 *     npx tsx recipes/tiny/recipe.ts FOLDER [--stage tokenizer|language|clip|shards|connectors] [--photographs FOLDER] [--short]
 *         [--threads N] [--minutes N] [--only]
 *
 * FOLDER holds everything: `model/`, a model's folder, and `work/`. `--stage`: up to that one; with `--only` that one alone.
 * FOLDER of photographs: `tinyimagenet` and `cifar10`; without it there are drawings alone.
 * `--minutes`: ends a stage behind so many minutes, to go on later.
 */
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { shortRecipe, wholeRecipe } from "./settings.js";
import { makeClip } from "./stages/clip.js";
import { makeConnectors } from "./stages/connectors.js";
import { makeLanguageModel } from "./stages/language.js";
import { makeShards } from "./stages/shards.js";
import { openSources } from "./stages/sources.js";
import type { Stage } from "./stages/stage.js";
import { makeTokenizer } from "./stages/tokenizer.js";
import { loadThings } from "./world/things.node.js";

const stageNames = ["tokenizer", "language", "clip", "shards", "connectors"] as const;

const { values: given, positionals } = parseArgs({
  options: {
    stage: { type: "string" },
    photographs: { type: "string" },
    only: { type: "boolean", default: false },
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
  photographs: given.photographs,
  ...{ folder: model, work, runtime, threads: Number(given.threads), signal: interrupted.signal },
  ...(given.minutes !== undefined && { stopAfterSeconds: 60 * Number(given.minutes) }),
  tell: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
};

const tokenizer = await makeTokenizer(stage);
const isWanted = (name: (typeof stageNames)[number]) =>
  given.only ? name === last : stageNames.indexOf(name) <= stageNames.indexOf(last);
if (isWanted("language")) await makeLanguageModel(stage, tokenizer);
if (stageNames.indexOf(last) >= stageNames.indexOf("clip")) {
  const sources = await openSources(stage);
  if (isWanted("clip")) await makeClip(stage, sources, tokenizer);
  if (isWanted("shards") || isWanted("connectors")) {
    const shards = await makeShards(stage, sources);
    if (isWanted("connectors")) await makeConnectors(stage, shards, sources, tokenizer);
  }
}
await runtime.close();
