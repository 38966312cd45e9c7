/** The fifth stage: resampler and gated cross-attention, by the training that everybody uses. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readConfigs } from "../../../src/api/configs.js";
import { node } from "../../../src/api/platform.node.js";
import { readModelFolder } from "../../../src/checkpoints/modelFolder.node.js";
import { writeSafetensors } from "../../../src/checkpoints/writeSafetensors.node.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { readTrainingOptions } from "../../../src/train/options/readOptions.js";
import { createTrainer } from "../../../src/train/trainer.node.js";
import { connectorsStart } from "../towers/connectorsStart.js";
import { readTensors } from "../towers/readTensors.js";
import { clipFiles, withType } from "../towers/writeTowers.js";
import { mostChunks } from "../words/document.js";
import { makeLinearConnectors } from "./linearConnectors.js";
import type { makeShards } from "./shards.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** The trained part of the model, after the last of its cycles and before. */
const checkpointOf = (cycle: number, cycles: number) =>
  cycle === cycles ? "checkpoint.safetensors" : `checkpoint-${cycle}.safetensors`;

type Shards = Awaited<ReturnType<typeof makeShards>>;

/** @returns whether they are trained to their end */
export async function makeConnectors(
  stage: Stage,
  shards: Shards,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
): Promise<boolean> {
  const { folder, settings } = stage;
  const { length } = settings.connectors.cycles;
  const names = Array.from({ length }, (_, i) => checkpointOf(i + 1, length));
  const made = names.findLastIndex((name) => existsSync(join(folder, name))) + 1;
  const start = "checkpoint-0.safetensors";
  for (let cycle = made + 1; cycle <= length; cycle++) {
    await writeDescription(stage, cycle === 1 ? start : names[cycle - 2]!);
    if (cycle === 1 && !(await makeStart(stage, sources, tokenizer, start))) return false;
    if (!(await trainCycle(stage, shards, cycle))) return false;
  }
  await writeDescription(stage, names.at(-1)!);
  return true;
}

/** A warm-up and a cosine, with an optimizer that begins anew, and other samples than those of the cycles before. */
async function trainCycle(stage: Stage, { pairs, documents }: Shards, cycle: number): Promise<boolean> {
  const { folder, work, settings, threads, signal, tell } = stage;
  const { seed, connectors } = settings;
  const { steps, pairs: rowsOfPairs, documents: rowsOfDocuments } = connectors.cycles[cycle - 1]!;
  const run = join(work, `connectors-${cycle}`);
  const options = readTrainingOptions({
    ...{ model: folder, run, threads, laionShards: [pairs], mmc4Shards: [documents] },
    seed: seed + cycle - 1,
    ...{ batchSizeLaion: rowsOfPairs, trainNumSamplesLaion: rowsOfPairs * steps },
    ...{ batchSizeMmc4: rowsOfDocuments, trainNumSamplesMmc4: rowsOfDocuments * steps },
    ...{ numEpochs: 1, learningRate: connectors.learningRate, lrScheduler: "cosine" },
    ...{ warmupSteps: Math.ceil(steps / 30), checkpointSteps: connectors.checkpointSteps },
    // Documents write `<|endofchunk|>` between two texts, and texts say left and right.
    ...{ specialTokensInText: true, flip: false },
    ...{ mmc4MaxNumImages: mostChunks, maxTokensMmc4: 384, maxTokensLaion: 64 },
  });
  const trainer = await createTrainer(options, { signal, onNotice: tell });
  try {
    const began = performance.now();
    for await (const { step, loss, seconds, waitingShare } of trainer.steps()) {
      if (step % 20 === 0 || step === trainer.totalSteps) {
        const losses = `pairs ${loss.laion!.toFixed(4)} documents ${loss.mmc4!.toFixed(4)}`;
        const waiting = `${(100 * waitingShare).toFixed(0)}% waiting`;
        const time = `${seconds.toFixed(2)} s, ${waiting}`;
        tell(`connectors-${cycle} ${step}/${trainer.totalSteps} ${losses} ${time}`);
      }
      const { stopAfterSeconds } = stage;
      const isOver = stopAfterSeconds !== undefined && performance.now() - began > 1000 * stopAfterSeconds;
      if (isOver && step < trainer.totalSteps) return false;
    }
  } finally {
    await trainer.close();
  }
  const name = `step-${String(trainer.totalSteps).padStart(8, "0")}`;
  const trained = join(run, "checkpoints", name, "model.safetensors");
  await inHalf(trained, join(folder, checkpointOf(cycle, connectors.cycles.length)));
  return true;
}

/** The same tensors in half precision, which is what ships. */
const inHalf = async (from: string, to: string): Promise<void> =>
  writeSafetensors(to, withType(await readTensors(from), "float16"));

/** What the first cycle starts from. @returns whether it is made */
async function makeStart(
  stage: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  checkpoint: string,
): Promise<boolean> {
  const { folder, settings, signal } = stage;
  const path = join(folder, checkpoint);
  if (existsSync(path)) return true;
  const description = await readModelFolder(folder, signal, { mayLackCheckpoint: true });
  const { config } = await readConfigs(node, description, signal);
  const linear = await makeLinearConnectors(stage, sources, tokenizer, config);
  if (!linear) return false;
  const start = await connectorsStart(config, linear, settings.seed);
  await writeSafetensors(path, withType(start, "float32"));
  return true;
}

/** The model's folder, of which the connectors are the last part. */
const writeDescription = ({ folder, settings }: Stage, checkpoint: string): Promise<void> =>
  writeFile(
    join(folder, "openflamingo.json"),
    `${JSON.stringify(
      {
        ...{ format: "openflamingo-model", version: 1, name: "tiny-openflamingo", words: "trained" },
        vision: { config: `clip/${clipFiles.config}`, weights: `clip/${clipFiles.weights}` },
        language: { config: "lang/config.json", weights: "lang", tokenizer: "lang/tokenizer.json" },
        flamingo: { checkpoint, crossAttentionEvery: settings.crossAttentionEvery },
        licence: "MIT",
      },
      null,
      2,
    )}\n`,
  );
