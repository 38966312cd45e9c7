/**
 * Does the reference implementation's loader take what a run of ours writes? The tiny model is trained for some steps on
 * made-up images, and `checkpoint.pt` or `checkpoint_EPOCH.pt` of the run is loaded over the same towers; fifty images are
 * then captioned, greedily, by both sides. Exit code 1 when an id differs.
 *
 *     npx tsx bench/peers/trainedCheckpoint.ts --python PATH [--write model|training] [--steps 12] [--model FOLDER]
 *
 * The environment of PATH: see `training.py`.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "../../src/index.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { createTrainer } from "../../src/train/trainer.node.js";
import { reportMachine } from "../measure.js";
import { fiftyImages } from "./fiftyImages.js";
import { missing, pythonOf, startPeer } from "./python.js";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { values: given } = parseArgs({
  options: {
    python: { type: "string" },
    write: { type: "string", default: "model" },
    steps: { type: "string", default: "12" },
    model: { type: "string", default: at("../../test/goldens/tiny-openflamingo-9b") },
  },
});
const python = pythonOf(given.python);
const lacking = missing(python, ["open_flamingo", "torch"]);
if (lacking !== undefined) throw new Error(lacking);
const how = { onNotice: () => {} };
const temporary = mkdtempSync(join(tmpdir(), "openflamingo-peer-"));
try {
  const made = join(temporary, "images");
  mkdirSync(made);
  const { files } = await fiftyImages(made);
  const run = join(temporary, "run");
  await train(
    run,
    files.filter((file) => file.startsWith(made)),
  );
  const [step] = readdirSync(join(run, "checkpoints"));
  const checkpoint = join(run, "checkpoints", step!);
  const file = readdirSync(checkpoint).find((name) => name.endsWith(".pt"));
  if (file === undefined) throw new Error(`${checkpoint} has no .pt`);
  const theirs = await byOriginal(join(checkpoint, file), files);
  const ours = await byOurs(run, files);
  const before = await byOurs(given.model, files);
  const same = theirs.filter((ids, i) => ids === ours[i]).length;
  const changed = ours.filter((ids, i) => ids !== before[i]).length;
  reportMachine();
  console.log(
    `${basename(given.model)}, ${given.steps} steps, ${file}: ${same} of ${files.length} captions have the same ids; ` +
      `${new Set(ours).size} different captions, ${changed} other than before training`,
  );
  // Captions that training did not change would show nothing.
  if (same !== files.length || changed === 0) process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true });
}

/** With a learning rate at which captions change in a few steps. */
async function train(run: string, images: readonly string[]): Promise<void> {
  const captions = join(temporary, "captions.jsonl");
  const words = [
    "a cat",
    "two dogs on a beach",
    "waves of many colours",
    "a rocket at night",
    "some grey noise",
  ];
  const lines = images.map((file, i) => ({ image: basename(file), text: words[i % words.length] }));
  writeFileSync(captions, lines.map((line) => JSON.stringify(line)).join("\n"));
  const batchSizeLaion = 8;
  const options = readTrainingOptions({
    ...{ run, model: given.model, images: join(temporary, "images"), captions, batchSizeLaion },
    ...{ learningRate: 3e-4, warmupSteps: 2, writeTorch: given.write, keepCheckpoints: 1 },
    numEpochs: Math.ceil(Number(given.steps) / Math.floor(images.length / batchSizeLaion)),
  });
  const trainer = await createTrainer(options, how);
  try {
    for await (const { step, loss } of trainer.steps()) {
      console.log(`step ${step}: loss ${loss.laion?.toFixed(4)}`);
      if (step === Number(given.steps)) break;
    }
  } finally {
    await trainer.close();
  }
}

async function byOriginal(checkpoint: string, files: readonly string[]): Promise<string[]> {
  const args = ["-W", "ignore", at("training.py"), given.model, "2", "caption", checkpoint, ...files];
  using peer = startPeer(python, args, temporary);
  const captions: string[] = [];
  for (const _ of files) captions.push(JSON.parse(await peer.line()).ids.join(" "));
  return captions;
}

async function byOurs(model: string, files: readonly string[]): Promise<string[]> {
  await using flamingo = await load(model, { threads: 2, ...how });
  const captions: string[] = [];
  for (const file of files) captions.push((await flamingo.caption(file)).ids.join(" "));
  return captions;
}
