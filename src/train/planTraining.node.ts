/**
 * A plan before a run: its model and data are opened, and a few of its steps made, which are then forgotten. Nothing is
 * written but, for one's own images, shards in a temporary folder.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import type { DataKind, TrainingBatch, TrainingBatches } from "../learn/batch.js";
import { highestMemory } from "../machine/memory.node.js";
import { openBaseModel } from "./baseModel.node.js";
import { epochsOf } from "./epochs.js";
import { type ModelToTrain, openModelToTrain, readModelToTrain } from "./openTraining.node.js";
import type { TrainingOptions } from "./options/table.js";
import { requireOwnImages, withOwnImages } from "./ownImages.node.js";
import { type BatchSizes, type MeasuredSteps, planOf, type TrainingPlan } from "./plan.js";
import { forecastTraining } from "./requireMemory.js";
import { kindsOf, stepSettings } from "./stepSettings.js";
import type { TrainerOptions } from "./trainer.node.js";
import { type BatchSource, openBatches } from "./trainingBatches.node.js";

/**
 * Says what a run needs, from a few steps with its own model and data; `run` is neither needed nor touched.
 *
 * The memory is the most that this process ever had: in a process of its own it is that of the run.
 *
 * @param options of `readTrainingOptions`
 * @throws OpenFlamingoError as `createTrainer` and its steps do; `signal.reason`
 * @example
 * const { memory, hours } = await planTraining(readTrainingOptions({ laionShards: ["shards"] }));
 */
export async function planTraining(
  options: TrainingOptions,
  { signal, onNotice = (text) => process.emitWarning(text), onProgress }: TrainerOptions = {},
): Promise<TrainingPlan> {
  if (options.images === undefined) kindsOf(options);
  await requireOwnImages(options);
  const how = { signal, onNotice, onProgress };
  const base = await openBaseModel(options.model, options.crossAttnEveryNLayers, options.fromScratch, how);
  const folder = await temporaryFolder();
  const opened: { close(): Promise<void> }[] = [
    { close: () => rm(folder, { recursive: true, force: true }) },
  ];
  try {
    const all = await withOwnImages(options, folder, how);
    const epochs = epochsOf(kindsOf(all), all);
    const configs = await readModelToTrain(base, all, signal);
    const model = await openModelToTrain(base, configs, all, stepSettings(all, epochs), how);
    opened.push(model);
    const stop = new AbortController();
    const source = await openBatches(model, all, {
      ...{ kinds: epochs.kinds, cache: undefined, positions: undefined },
      ...{ onSkip: () => {}, onNotice },
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    });
    opened.push(source, { close: async () => stop.abort() });
    const measured = await measureSteps(model, source, all, how);
    const { frozen } = forecastTraining(configs.config, all);
    const { state, whole } = model.step;
    return planOf(measured, { options: all, epochs, state, whole, frozen });
  } finally {
    for (let latest = opened.pop(); latest; latest = opened.pop()) await latest.close();
  }
}

const temporaryFolder = (): Promise<string> =>
  mkdtemp(join(tmpdir(), "openflamingo-plan-")).catch((cause: unknown) => {
    throw new OpenFlamingoError("disk", `no temporary files can be made in ${tmpdir()}`, {
      hint: "Make room there, or name another folder in the environment variable TMPDIR.",
      cause,
    });
  });

/** Steps that are made: the first one, which makes memory ready, and more until they are many or took long enough. */
const leastSteps = 3;
const mostSteps = 20;
const enoughSeconds = 3;

/** Seconds. */
interface Parts {
  readonly batch: number;
  readonly optimizer: number;
}

async function measureSteps(
  { step }: ModelToTrain,
  source: BatchSource,
  { cacheFeatures }: TrainingOptions,
  { signal, onProgress }: TrainerOptions,
): Promise<MeasuredSteps> {
  const before = process.memoryUsage.rss();
  // Moments and gradients: zeros take no memory until they are written, in the first step.
  const zeros = 3 * 4 * step.state.trained.length;
  let highest = before;
  const look = () => {
    highest = Math.max(highest, process.memoryUsage.rss());
  };
  const watch = setInterval(look, 20);
  try {
    const seconds: Parts[] = [];
    const sizes: { [kind in DataKind]?: BatchSizes } = {};
    let encoding = 0;
    const began = performance.now();
    for (
      let i = 0;
      i < leastSteps || (i < mostSteps && performance.now() - began < 1000 * enoughSeconds);
      i++
    ) {
      const start = performance.now();
      const { batches } = await source.next();
      const { seconds: parts } = await step.run(batches, { signal });
      const all = (performance.now() - start) / 1000;
      seconds.push({ batch: all - parts.optimizer, optimizer: parts.optimizer });
      takeSizes(sizes, batches);
      look();
      onProgress?.(Math.min(i + 1, leastSteps), leastSteps, "measuring");
      if (i === leastSteps - 1 && cacheFeatures !== undefined) {
        const since = performance.now();
        for (const batch of [batches.laion, batches.mmc4]) {
          if (batch?.images.pixels) await step.encodeImages(batch.images.pixels, signal);
        }
        encoding = (performance.now() - since) / 1000;
      }
    }
    const [first, ...later] = seconds as [Parts, ...Parts[]];
    const batch = mean(later.map((each) => each.batch));
    const optimizer = mean(later.map((each) => each.optimizer));
    return {
      ...{ batch, optimizer, encoding, batches: sizes },
      firstMore: Math.max(0, first.batch + first.optimizer - batch - optimizer),
      ...{ activations: Math.max(0, highest - before - zeros), total: Math.max(highest, highestMemory()) },
    };
  } finally {
    clearInterval(watch);
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The largest of each size so far. */
function takeSizes(sizes: { [kind in DataKind]?: BatchSizes }, batches: TrainingBatches): void {
  for (const [kind, batch] of Object.entries(batches) as [DataKind, TrainingBatch][]) {
    const { shape, imagesOfRows } = batch;
    const images = imagesOfRows.reduce((sum, count) => sum + count, 0);
    const before = sizes[kind];
    sizes[kind] = {
      rows: shape[0],
      tokens: Math.max(before?.tokens ?? 0, shape[1]),
      images: Math.max(before?.images ?? 0, images),
    };
  }
}
