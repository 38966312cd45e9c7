/**
 * A run of training: a model, data and a folder, and the steps from where the run is to its end.
 *
 * Reference: open_flamingo/train/train.py and train_utils.py.
 */
import { asyncDispose } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { JsonObject, JsonValue } from "../base/json.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { openBaseModel } from "./baseModel.node.js";
import type { DataKind, TrainingBatches } from "./batch.js";
import { type Epochs, epochsOf } from "./epochs.js";
import type { FeatureCache } from "./featureCache.node.js";
import { type ModelToTrain, openModelToTrain } from "./openTraining.node.js";
import { changedOptions } from "./options/readOptions.js";
import type { TrainingOptions } from "./options/table.js";
import { findRun } from "./runDescription.node.js";
import { createRun, openRun, type Run } from "./runFolder.node.js";
import { takeTensors, tensorsOf } from "./runState.js";
import type { StepOptions, StepResult } from "./step.js";
import { type BatchSource, openBatches, openFeatures } from "./trainingBatches.node.js";

export interface TrainerOptions {
  readonly signal?: AbortSignal | undefined;
  /** What a user should know; `process.emitWarning` when left out. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** How far the opening is. */
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

/** A step that was made. */
export interface StepReport {
  /** Counted from 1. */
  readonly step: number;
  /** Losses, a mean over the step's batches; undefined for a kind that is not trained on. */
  readonly loss: { readonly [kind in DataKind]?: number };
  /** Of all gradients before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly seconds: number;
  readonly samples: number;
  readonly tokens: number;
  /** The share of the run's time, so far, in which data were waited for. */
  readonly waitingShare: number;
  /** The folder of the checkpoint that was saved behind the step, if one was. */
  readonly checkpoint?: string | undefined;
}

export interface Trainer extends AsyncDisposable {
  /** The run's folder, absolute: a model folder too from the first checkpoint on. */
  readonly folder: string;
  /** Steps in all, and those that the run had made when it was opened. */
  readonly totalSteps: number;
  readonly stepsDone: number;
  /**
   * Makes the steps that are left. A reader that stops, and a signal, end the run with a checkpoint of what was reached.
   *
   * @throws OpenFlamingoError `loss-not-finite` with the samples' names, after a checkpoint of the step before;
   *   `data-…`, `disk`, `memory`, `backend`; `signal.reason`
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
  if (options.run === undefined) throw usage("the run has no folder", "Name one (run).", ["run"]);
  const kinds = kindsOf(options);
  const epochs = epochsOf(kinds, options);
  const how = { signal, onNotice, onProgress };
  const base = await openBaseModel(options.model, options.crossAttnEveryNLayers, how);
  const run = await openOrCreate(options.run, options, base, how);
  const opened: { close(): Promise<void> }[] = [run];
  const close = async () => {
    for (let latest = opened.pop(); latest; latest = opened.pop()) await latest.close();
  };
  try {
    const model = await openModelToTrain(base, options, settingsOf(options, epochs), how);
    opened.push(model);
    const cache = await featuresOf(options, model, base, onNotice);
    if (cache) opened.push(cache);
    if (run.latest) {
      const { state, whole } = model.step;
      const tensors = tensorsOf(state, whole);
      await run.latest.load(tensors, { signal });
      takeTensors(state, tensors);
      state.step = scheduleOf(run.latest.schedule);
    }
    const stop = new AbortController();
    const source = await openBatches(model, options, {
      ...{ kinds, cache, positions: positionsOf(run.latest?.data) },
      signal: signal ? AbortSignal.any([signal, stop.signal]) : stop.signal,
    });
    opened.push(source, { close: async () => stop.abort() });
    const stepsDone = run.latest?.step ?? 0;
    return {
      folder: run.folder,
      totalSteps: epochs.steps,
      stepsDone,
      steps: () => steps({ run, model, source, options, epochs, signal, stepsDone }),
      close,
      [asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  readonly run: Run;
  readonly model: ModelToTrain;
  readonly source: BatchSource;
  readonly options: TrainingOptions;
  readonly epochs: Epochs;
  readonly signal: AbortSignal | undefined;
  readonly stepsDone: number;
}

async function* steps({
  run,
  model,
  source,
  options,
  epochs,
  signal,
  stepsDone,
}: Parts): AsyncGenerator<StepReport, void> {
  const { step } = model;
  let [done, saved] = [stepsDone, run.latest ? stepsDone : -1];
  let data: JsonValue = run.latest?.data ?? {};
  const save = async () => {
    const folder = await run.save(
      {
        ...{ step: done, data, schedule: { steps: step.state.step }, random: { seed: options.seed } },
        ...tensorsOf(step.state, step.whole),
      },
      { keep: options.keepCheckpoints, keepEvery: options.keepCheckpointEvery },
    );
    saved = done;
    return folder;
  };
  try {
    while (done < epochs.steps) {
      const began = performance.now();
      const batches: TrainingBatches[] = [];
      const keys: (readonly string[])[] = [];
      let tokens = 0;
      let reached: JsonValue = data;
      for (let i = epochs.batchesOf(done); i > 0; i--) {
        const next = await source.next();
        batches.push(next.batches);
        keys.push(next.keys);
        tokens += next.tokens;
        reached = next.positions as JsonValue;
      }
      const result = await step.run(batches, { signal }).catch((error: unknown) => {
        throw withKeys(error, keys, run.folder);
      });
      done++;
      data = reached;
      const seconds = (performance.now() - began) / 1000;
      const report: StepReport = {
        ...{ step: done, loss: meanLosses(result), seconds, tokens },
        gradientNorm: result.gradientNorms.at(-1) ?? 0,
        learningRate: result.learningRate,
        samples: keys.reduce((sum, names) => sum + names.length, 0),
        waitingShare: source.waitingShare(),
      };
      if (done % options.loggingSteps === 0 || done === epochs.steps) await run.log(done, logged(report));
      const isDue = done % options.checkpointSteps === 0 || done === epochs.steps;
      yield isDue ? { ...report, checkpoint: await save() } : report;
    }
  } finally {
    // What was reached is worth keeping, whatever ended the run: the state is that of the last step that was whole.
    if (done > saved && done > 0) await save();
  }
}

/** The values of a step in the log. */
const logged = ({
  loss,
  gradientNorm,
  learningRate,
  seconds,
  samples,
  tokens,
  waitingShare,
}: StepReport) => ({
  ...(loss.laion !== undefined && { loss_laion: loss.laion }),
  ...(loss.mmc4 !== undefined && { loss_mmc4: loss.mmc4 }),
  ...{ gradient_norm: gradientNorm, learning_rate: learningRate, seconds },
  ...{ samples_per_second: samples / seconds, tokens_per_second: tokens / seconds, waiting: waitingShare },
});

function meanLosses({ losses }: StepResult): StepReport["loss"] {
  const mean = (kind: DataKind) => {
    const all = losses.flatMap(({ [kind]: loss }) => loss ?? []);
    return all.length === 0 ? undefined : all.reduce((sum, loss) => sum + loss, 0) / all.length;
  };
  const [laion, mmc4] = [mean("laion"), mean("mmc4")];
  return { ...(laion !== undefined && { laion }), ...(mmc4 !== undefined && { mmc4 }) };
}

/** A loss that is not a number, with the samples that it is of. */
function withKeys(error: unknown, keys: readonly (readonly string[])[], run: string): unknown {
  if (!(error instanceof OpenFlamingoError) || error.code !== "loss-not-finite") return error;
  const samples = keys[error.data.batch as number] ?? keys.flat();
  const shown = samples.slice(0, 5).join(", ");
  const more = samples.length > 5 ? ` and ${samples.length - 5} more` : "";
  return new OpenFlamingoError("loss-not-finite", `${error.message}. Its samples: ${shown}${more}`, {
    hint: `${run} has a checkpoint of the step before. ${error.hint}`,
    cause: error,
    data: { ...error.data, samples },
  });
}

function kindsOf({ laionShards, mmc4Shards }: TrainingOptions): readonly DataKind[] {
  const kinds: readonly DataKind[] = [
    ...(laionShards.length > 0 ? (["laion"] as const) : []),
    ...(mmc4Shards.length > 0 ? (["mmc4"] as const) : []),
  ];
  if (kinds.length > 0) return kinds;
  const what = "there is nothing to train on";
  throw usage(what, "Name images with captions, or shards (laionShards, mmc4Shards).", [
    ...["images", "laionShards", "mmc4Shards"],
  ]);
}

const usage = (what: string, hint: string, options: readonly string[]) =>
  new OpenFlamingoError("usage", `training: ${what}`, { hint, data: { options } });

/** The options as a run keeps them: those that were not given are not there. */
const kept = (options: TrainingOptions): JsonObject => JSON.parse(JSON.stringify(options)) as JsonObject;

async function openOrCreate(
  folder: string,
  options: TrainingOptions,
  base: OpenableModel,
  { signal, onNotice }: Pick<TrainerOptions, "signal" | "onNotice">,
): Promise<Run> {
  const isThere = await findRun(folder).then(
    () => true,
    () => false,
  );
  const how = { signal, onNotice };
  if (!isThere || !options.resume) return createRun(folder, { ...how, settings: kept(options), base });
  const run = await openRun(folder, how);
  const changed = changedOptions(run.settings, options);
  if (changed.length === 0) return run;
  await run.close();
  throw usage(
    `${folder}: the run was begun with other options: ${changed.join(", ")}`,
    "Resume it with the same ones, or begin another run in another folder.",
    changed,
  );
}

function settingsOf(options: TrainingOptions, { steps, batches }: Epochs): Partial<StepOptions> {
  const published = {
    clipEveryBatch: options.clipEveryMicroBatch,
    firstRateZero: options.zeroFirstLearningRate,
    scheduleCountsBatches: options.scheduleIgnoresAccumulation,
    divideByWholeAccumulation: options.divideByWholeAccumulation,
    dropNotFinite: options.dropNotFinite,
  };
  return {
    learningRate: options.learningRate,
    schedule: {
      kind: options.lrScheduler,
      warmupSteps: options.warmupSteps,
      totalSteps: options.scheduleIgnoresAccumulation ? batches * options.numEpochs : steps,
    },
    weightDecay: options.weightDecay,
    clipNorm: options.maxGradNorm,
    accumulation: options.gradientAccumulationSteps,
    lossWeights: { laion: options.lossMultiplierLaion, mmc4: options.lossMultiplierMmc4 },
    published,
  };
}

const featuresOf = async (
  { cacheFeatures, precision }: TrainingOptions,
  model: ModelToTrain,
  base: OpenableModel,
  onNotice: (text: string) => void,
): Promise<FeatureCache | undefined> =>
  cacheFeatures === undefined
    ? undefined
    : openFeatures(cacheFeatures, model, {
        ...{ weights: pathsOf(base)("vision", base.vision.weights), precision, onNotice },
      });

/** Steps of the optimizer that a run had made. */
const scheduleOf = (schedule: JsonValue): number => (schedule as { readonly steps: number }).steps;

const positionsOf = (data: JsonValue | undefined) =>
  data as { readonly [kind in DataKind]?: JsonValue } | undefined;
