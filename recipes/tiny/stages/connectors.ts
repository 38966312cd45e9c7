/** The fifth stage: resampler and gated cross-attention, by the training that everybody uses. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../../src/checkpoints/writeSafetensors.node.js";
import { readTrainingOptions } from "../../../src/train/options/readOptions.js";
import { createTrainer } from "../../../src/train/trainer.node.js";
import { readTensors } from "../towers/readTensors.js";
import { clipFiles } from "../towers/writeTowers.js";
import { mostChunks } from "../words/document.js";
import type { makeShards } from "./shards.js";
import type { Stage } from "./stage.js";

/** The trained part of the model. */
const checkpoint = "checkpoint.safetensors";

/** @returns whether they are trained to their end */
export async function makeConnectors(
  stage: Stage,
  { pairs, documents }: Awaited<ReturnType<typeof makeShards>>,
): Promise<boolean> {
  const { folder, work, settings, threads, signal, tell } = stage;
  if (existsSync(join(folder, checkpoint))) return true;
  const { seed, connectors } = settings;
  await writeDescription(stage);
  const run = join(work, "connectors");
  const options = readTrainingOptions({
    ...{ model: folder, run, seed, threads, laionShards: [pairs], mmc4Shards: [documents] },
    ...{ fromScratch: true, gateStart: 0.5, crossAttnEveryNLayers: settings.crossAttentionEvery },
    ...{ batchSizeLaion: connectors.pairs, trainNumSamplesLaion: connectors.pairs * connectors.steps },
    ...{ batchSizeMmc4: connectors.documents, trainNumSamplesMmc4: connectors.documents * connectors.steps },
    ...{ numEpochs: 1, learningRate: connectors.learningRate, lrScheduler: "cosine" },
    ...{ warmupSteps: Math.ceil(connectors.steps / 30), checkpointSteps: connectors.checkpointSteps },
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
        tell(`connectors ${step}/${trainer.totalSteps} ${losses} ${seconds.toFixed(2)} s, ${waiting}`);
      }
      const { stopAfterSeconds } = stage;
      const isOver = stopAfterSeconds !== undefined && performance.now() - began > 1000 * stopAfterSeconds;
      if (isOver && step < trainer.totalSteps) return false;
    }
  } finally {
    await trainer.close();
  }
  const name = `step-${String(trainer.totalSteps).padStart(8, "0")}`;
  await inHalf(join(run, "checkpoints", name, "model.safetensors"), join(folder, checkpoint));
  return true;
}

/** The same tensors in half precision, which is what ships. */
async function inHalf(from: string, to: string): Promise<void> {
  const tensors = await readTensors(from);
  await writeSafetensors(
    to,
    new Map([...tensors].map(([tensor, values]) => [tensor, { ...values, dtype: "float16" }])),
  );
}

/** The model's folder, of which the connectors are the last part. */
const writeDescription = ({ folder, settings }: Stage): Promise<void> =>
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
