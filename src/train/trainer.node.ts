/**
 * A run of training: a model, data and a folder, and the steps from where the run is to its end.
 *
 * Reference: open_flamingo/train/train.py and train_utils.py.
 */
import { stat } from "node:fs/promises";
import { load } from "../api/load.node.js";
import { asyncDispose, withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { JsonObject } from "../base/json.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { findShards } from "../data/shardList.node.js";
import { takeTensors, tensorsOf } from "../learn/stateTensors.js";
import type { TrainingStep } from "../learn/step.js";
import { findRun } from "../runs/runDescription.node.js";
import { createRun, openRun, type Run } from "../runs/runFolder.node.js";
import { openBaseModel } from "./baseModel.node.js";
import { epochsOf } from "./epochs.js";
import type { FeatureCache } from "./featureCache.node.js";
import { type ModelToTrain, openModelToTrain, readModelToTrain } from "./openTraining.node.js";
import { changedOptions } from "./options/readOptions.js";
import type { TrainingOptions } from "./options/table.js";
import { ownFolders, requireOwnImages, withOwnImages } from "./ownImages.node.js";
import { createSkipReport } from "./skipReport.js";
import { kindsOf, stepSettings } from "./stepSettings.js";
import { makeSteps, type StepReport } from "./steps.js";
import { openBatches, openFeatures, validationLoss } from "./trainingBatches.node.js";

export interface TrainerOptions {
  readonly signal?: AbortSignal | undefined;
  /** What a user should know; `process.emitWarning` when left out. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** How far the opening is. */
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

export interface Trainer extends AsyncDisposable {
  /** The run's folder, absolute: a model folder too from the first checkpoint on. */
  readonly folder: string;
  /** Steps in all, and those that the run had made when it was opened. */
  readonly totalSteps: number;
  readonly stepsDone: number;
  /**
   * Makes the steps that are left; to be read once. A reader that stops, a signal and `close` end the run with a checkpoint
   * of what was reached.
   *
   * @throws OpenFlamingoError `loss-not-finite` with the samples' names, after a checkpoint of the step before;
   *   `data-…`, `disk`, `memory`, `backend`; `signal.reason`. `usage` where they were asked for before
   */
  steps(): AsyncGenerator<StepReport, void>;
  close(): Promise<void>;
}

/**
 * Opens a run: begins one in a new folder, or goes on with the one that is there.
 *
 * @param options of `readTrainingOptions`; `run` is needed
 * @throws OpenFlamingoError `usage`, `run-…`, `model-…`, `checkpoint-…`, `data-…`, `disk`, `memory`; `signal.reason`
 * @example
 * const trainer = await createTrainer(readTrainingOptions({ run: "runs/mine", laionShards: ["shards"] }));
 * for await (const { step, loss } of trainer.steps()) console.log(step, loss.laion);
 * await trainer.close();
 */
export async function createTrainer(
  options: TrainingOptions,
  { signal, onNotice = (text) => process.emitWarning(text), onProgress }: TrainerOptions = {},
): Promise<Trainer> {
  if (options.run === undefined) {
    throw new OpenFlamingoError("usage", "training: the run has no folder", {
      hint: "Name a folder for it (run).",
      data: { options: ["run"] },
    });
  }
  // Before a folder is made, and not when the step has come.
  if (options.images === undefined) kindsOf(options);
  for (const shards of [options.laionShards, options.mmc4Shards, options.validationShards]) {
    if (shards.length > 0) await findShards(shards);
  }
  await requireOwnImages(options);
  for (const image of options.captionImages) await requireImage(image);
  const how = { signal, onNotice, onProgress };
  const base = await openBaseModel(options.model, options.crossAttnEveryNLayers, options.fromScratch, how);
  const configs = await readModelToTrain(base, options, signal);
  const run = await openOrCreate(options.run, options, base, how);
  const opened: { close(): Promise<void> }[] = [run];
  const close = async () => {
    const failures: unknown[] = [];
    for (let latest = opened.pop(); latest; latest = opened.pop()) {
      await latest.close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  };
  try {
    const all = await withOwnImages(options, run.folder, how);
    const epochs = epochsOf(kindsOf(all), all);
    if (all !== options) await readModelToTrain(base, all, signal); // which has batches now
    const model = await openModelToTrain(base, configs, all, stepSettings(all, epochs), how);
    opened.push(model);
    const { step } = model;
    const cache = await featuresOf(all, model, base, onNotice);
    if (cache) opened.push(cache);
    if (run.latest) await takeCheckpoint(run.latest, step, signal);
    const stop = new AbortController();
    const skips = createSkipReport(onNotice);
    const source = await openBatches(model, all, {
      ...{ kinds: epochs.kinds, cache, positions: run.latest?.data as Positions | undefined },
      ...{ onSkip: skips.saw, onNotice },
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    });
    opened.push(source, { close: async () => stop.abort() });
    const { validationShards, captionImages } = all;
    const skipsOfValidation = createSkipReport((text) => onNotice(`validation: ${text}`));
    const validate = async () => {
      const loss = await validationLoss(model, all, { cache, signal, onSkip: skipsOfValidation.saw });
      skipsOfValidation.tell();
      return loss;
    };
    const parts = {
      ...{ run, step, source, options: all, epochs, skips, onNotice, signal },
      validate: validationShards.length > 0 ? validate : undefined,
      caption: captionImages.length > 0 ? () => captionsOf(run.folder, captionImages, how) : undefined,
    };
    let isRead = false;
    return {
      folder: run.folder,
      totalSteps: epochs.steps,
      stepsDone: run.latest?.step ?? 0,
      steps() {
        // The data have gone on: where a second reader would begin is nowhere.
        if (isRead || opened.length === 0) throw stepsAreOver(opened.length === 0);
        isRead = true;
        const steps = makeSteps(parts);
        opened.push({ close: async () => void (await steps.return()) });
        return steps;
      },
      close,
      [asyncDispose]: close,
    };
  } catch (error) {
    await close().catch(() => {}); // the other error came first
    throw error;
  }
}

const stepsAreOver = (isClosed: boolean) =>
  isClosed
    ? new OpenFlamingoError("closed", "training: the trainer is closed", { hint: "Open the run again." })
    : new OpenFlamingoError("usage", "training: the steps were asked for before", {
        hint: "They are read once. Close the trainer and open the run again to go on.",
      });

async function requireImage(image: string): Promise<void> {
  if (/^https?:/i.test(image) || (await stat(image).catch(() => undefined))?.isFile()) return;
  throw new OpenFlamingoError("image-missing", `captionImages: ${image}: there is no such file`, {
    hint: "Name images that can be captioned from time to time, or none.",
    data: { options: ["captionImages"] },
  });
}

type Positions = NonNullable<Parameters<typeof openBatches>[2]["positions"]>;

async function takeCheckpoint(
  latest: NonNullable<Run["latest"]>,
  { state, whole }: TrainingStep,
  signal: AbortSignal | undefined,
): Promise<void> {
  const tensors = tensorsOf(state, whole);
  await latest.load(tensors, { signal });
  takeTensors(state, tensors);
  state.step = (latest.schedule as { readonly steps: number }).steps;
}

/** What the model in a run's folder says of images; where it cannot, it is a notice, and no reason to stop training. */
async function captionsOf(
  folder: string,
  images: readonly string[],
  {
    signal,
    onNotice,
  }: { readonly signal: AbortSignal | undefined; readonly onNotice: (text: string) => void },
): Promise<readonly string[] | undefined> {
  try {
    return await withClosing(async (closing) => {
      const flamingo = closing(await load(folder, { signal, onNotice: () => {} }));
      const captions: string[] = [];
      for (const image of images) captions.push((await flamingo.caption(image, { signal })).text);
      return captions;
    });
  } catch (error) {
    if (!(error instanceof OpenFlamingoError)) throw error;
    onNotice(`no captions this time: ${error.message}`);
    return undefined;
  }
}

async function openOrCreate(
  folder: string,
  options: TrainingOptions,
  base: OpenableModel,
  how: { readonly signal: AbortSignal | undefined; readonly onNotice: (text: string) => void },
): Promise<Run> {
  const isThere = await findRun(folder).then(
    () => true,
    () => false,
  );
  // Options that were not given are not there.
  const settings = JSON.parse(JSON.stringify(options)) as JsonObject;
  if (!isThere || !options.resume) return createRun(folder, { ...how, settings, base });
  const run = await openRun(folder, how);
  const changed = changedOptions(run.settings, options);
  if (changed.length === 0) return run;
  if (run.latest === undefined) {
    how.onNotice(
      `${folder}: no step of the run was kept: it begins anew with ${changed.join(", ")} as given now`,
    );
    await run.discard(ownFolders);
    return createRun(folder, { ...how, settings, base });
  }
  await run.close();
  const what = `${folder}: the run was begun with other options: ${changed.join(", ")}`;
  throw new OpenFlamingoError("usage", what, {
    hint: "Resume it with the same ones, or begin another run in another folder.",
    data: { options: changed },
  });
}

const featuresOf = async (
  options: TrainingOptions,
  model: ModelToTrain,
  base: OpenableModel,
  onNotice: (text: string) => void,
): Promise<FeatureCache | undefined> =>
  options.cacheFeatures === undefined
    ? undefined
    : openFeatures(options.cacheFeatures, model, {
        ...{ options, files: pathsOf(base)("vision", base.vision.weights), onNotice },
      });
