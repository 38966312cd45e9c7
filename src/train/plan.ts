/** What a run of training needs, from what was measured of a few of its steps: memory, time and disk. */
import { elementCount } from "../base/dtypes.js";
import type { DataKind } from "../learn/batch.js";
import type { TrainingState } from "../learn/state.js";
import type { WholeTensors } from "../learn/stateTensors.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";

export interface TrainingPlan {
  /** Numbers that are trained. */
  readonly trained: number;
  /** The largest batch of each kind that was measured: rows, tokens a row, images in all. */
  readonly batches: { readonly [kind in DataKind]?: BatchSizes };
  readonly memory: PlannedMemory;
  readonly seconds: PlannedSeconds;
  /** Steps of the optimizer in all. */
  readonly steps: number;
  /** All steps, without validation, watched captions and checkpoints. */
  readonly hours: number;
  /** Bytes of one checkpoint on the disk, and of as many as the run keeps. */
  readonly checkpoint: number;
  readonly disk: number;
}

export interface BatchSizes {
  readonly rows: number;
  readonly tokens: number;
  readonly images: number;
}

/** Bytes. */
export interface PlannedMemory {
  /** Of the trained tensors, all in float32. */
  readonly parameters: number;
  readonly moments: number;
  readonly gradients: number;
  /** The weights that are not trained. */
  readonly frozen: number;
  /** By how much memory grew while steps were made, beyond what stood ready for them. */
  readonly activations: number;
  /** What the process had at most, from its start to the last step that was measured: all of it. */
  readonly total: number;
}

export interface PlannedSeconds {
  /** A step, on the mean of the run: with features that are kept, later epochs are quicker than the first. */
  readonly step: number;
  /** Of that: the optimizer, and encoding images. */
  readonly optimizer: number;
  readonly encoding: number;
  /** By how much the first step is longer, in which memory is written for the first time. */
  readonly firstMore: number;
}

/** What was measured, of batches without accumulation. */
export interface MeasuredSteps {
  /** Seconds of a batch of each kind, the vision encoder and waiting for data included, without the optimizer. */
  readonly batch: number;
  readonly optimizer: number;
  /** By how much the first step was longer than the others. */
  readonly firstMore: number;
  /** Of `batch`: the vision encoder. */
  readonly encoding: number;
  readonly batches: TrainingPlan["batches"];
  readonly activations: number;
  readonly total: number;
}

export interface PlannedRun {
  readonly options: TrainingOptions;
  readonly epochs: Epochs;
  readonly state: TrainingState;
  readonly whole: WholeTensors;
  /** Bytes. */
  readonly frozen: number;
}

const bytes = 4;

/** Parameters and two moments; of files for OpenFlamingo (Python), parameters or all of it once more. */
const arraysSaved = { none: 3, model: 4, training: 6 } as const;

/** Puts together what a run needs. */
export function planOf(measured: MeasuredSteps, run: PlannedRun): TrainingPlan {
  const { options, epochs, state, whole, frozen } = run;
  const { activations, total, batches, optimizer, firstMore } = measured;
  const { tensors, length } = state.trained;
  const trained = tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const encoding = measured.encoding * encodedShare(options);
  const each = measured.batch - measured.encoding + encoding;
  // An epoch's last step may be of fewer batches than others.
  const batchesOfStep = epochs.batches / epochs.epochSteps;
  const step = batchesOfStep * each + optimizer;
  const checkpoint = arraysSaved[options.writeTorch] * bytes * savedNumbers(state, whole);
  return {
    ...{ trained, batches, steps: epochs.steps, hours: (firstMore + epochs.steps * step) / 3600 },
    memory: {
      ...{ parameters: bytes * length, moments: 2 * bytes * length, gradients: bytes * length },
      ...{ frozen, activations, total },
    },
    seconds: { step, optimizer, encoding: batchesOfStep * encoding, firstMore },
    ...{ checkpoint, disk: keptCheckpoints(options, epochs) * checkpoint },
  };
}

/** A tensor of which rows are trained is kept whole. */
const savedNumbers = ({ trained: { tensors } }: TrainingState, whole: WholeTensors): number =>
  tensors.reduce((sum, { name, rows, shape }) => {
    const all = rows ? whole.get(name) : undefined;
    return sum + elementCount(all?.shape ?? shape);
  }, 0);

/** Those that stay, with the one that is written before the oldest goes. */
function keptCheckpoints(
  { keepCheckpoints, keepCheckpointEvery, checkpointSteps }: TrainingOptions,
  { steps }: Epochs,
): number {
  const written = Math.ceil(steps / checkpointSteps);
  const forEver = keepCheckpointEvery === undefined ? 0 : Math.floor(steps / keepCheckpointEvery);
  return Math.min(written, keepCheckpoints + 1 + forEver);
}

/**
 * Of all times that an image is met, the share in which it is encoded: with features that are kept, once, and where half
 * of the images are turned, once in each of the two ways.
 */
export function encodedShare({
  cacheFeatures,
  flip,
  numEpochs,
}: Pick<TrainingOptions, "cacheFeatures" | "flip" | "numEpochs">): number {
  if (cacheFeatures === undefined) return 1;
  return (flip ? 2 * (1 - 0.5 ** numEpochs) : 1) / numEpochs;
}
