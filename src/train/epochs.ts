/** How a run is divided: steps of the optimizer, each of one or several batches of each kind, and epochs of those. */
import type { DataKind } from "../learn/batch.js";
import type { TrainingOptions } from "./options/table.js";

export interface Epochs {
  /** The kinds of data that are trained on. */
  readonly kinds: readonly DataKind[];
  /** Batches of each kind in an epoch. */
  readonly batches: number;
  /** Steps in an epoch, and in all. */
  readonly epochSteps: number;
  readonly steps: number;
  /** Batches of each kind in the step of this number, from 0: an epoch's last step takes what is left. */
  batchesOf(step: number): number;
}

type Given = Pick<
  TrainingOptions,
  | "batchSizeLaion"
  | "batchSizeMmc4"
  | "trainNumSamplesLaion"
  | "trainNumSamplesMmc4"
  | "gradientAccumulationSteps"
  | "numEpochs"
  | "worldSize"
>;

/** @param kinds at least one; with both, their batches are as many (`readTrainingOptions`) */
export function epochsOf(kinds: readonly DataKind[], given: Given): Epochs {
  const accumulation = given.gradientAccumulationSteps;
  const [samples, size] =
    kinds[0] === "laion"
      ? [given.trainNumSamplesLaion, given.batchSizeLaion]
      : [given.trainNumSamplesMmc4, given.batchSizeMmc4];
  const batches = Math.max(1, Math.floor(samples / (size * given.worldSize)));
  const epochSteps = Math.ceil(batches / accumulation);
  return {
    ...{ kinds, batches, epochSteps, steps: epochSteps * given.numEpochs },
    batchesOf: (step) => Math.min(accumulation, batches - (step % epochSteps) * accumulation),
  };
}
