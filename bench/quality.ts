/**
 * What does each format of the weights cost in quality on the golden prompts of a tiny model? Of any other model, and on
 * any images and texts: `openflamingo prepare MODEL --report TEXTS.json`.
 *
 *     npx tsx bench/quality.ts tiny-openflamingo-9b [CALIBRATION.json]
 *
 * With a list of `{image, text}`, as `--shots` reads it, calibration is measured too.
 */

import { readConfigs } from "../src/api/configs.js";
import { imageReader } from "../src/api/load.js";
import { node } from "../src/api/platform.node.js";
import { samplesOf } from "../src/api/samples.js";
import { readShots } from "../src/api/shots.node.js";
import { readModelFolder, requireCheckpoints } from "../src/checkpoints/modelFolder.node.js";
import { shownReport } from "../src/cli/report.js";
import { choicesFor } from "../src/quality/choices.js";
import { compareFormats } from "../src/quality/report.js";
import { tinyModel } from "../test/tinyModel.js";
import { goldenSamples } from "./goldenSamples.js";
import { reportMachine } from "./measure.js";

const [name, list] = process.argv.slice(2);
if (!name) throw new Error("usage: quality.ts TINY-MODEL [CALIBRATION.json]");
const model = tinyModel(name);
const configs = await readConfigs(node, requireCheckpoints(await readModelFolder(model.folder)), undefined);
const calibration = list
  ? await samplesOf(await readShots(list), configs, imageReader(node, configs, {}), undefined)
  : undefined;
const { config, checkpoints, close } = await model.model();
const runtime = await model.openRuntime();
const { image, endofchunk } = model.ids;
const report = await compareFormats(
  { config, checkpoints, runtime, imageToken: image, endOfChunk: endofchunk },
  await goldenSamples(model),
  { choices: choicesFor(calibration !== undefined), keep: new Map(), calibration },
);
await runtime.close();
await close();
reportMachine(runtime);
console.log(name);
console.log(shownReport({ ...report, tooLarge: [] }));
