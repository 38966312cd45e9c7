/** A step's state as OpenFlamingo (Python) keeps it, for `writeTorch`. */

import { adamW } from "../learn/adamw.js";
import { rateAt } from "../learn/schedule.js";
import { frozenOf } from "../learn/stateTensors.js";
import type { TrainingStep } from "../learn/step.js";
import type { TrainedTensors } from "../runs/runState.js";
import type { TorchTraining } from "../runs/torchCheckpoint.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";
import { stepSettings } from "./stepSettings.js";

export function torchTraining({
  done,
  step: { state, whole },
  options,
  epochs,
  tensors,
}: {
  /** Steps of the run. */
  readonly done: number;
  readonly step: Pick<TrainingStep, "state" | "whole">;
  readonly options: TrainingOptions;
  readonly epochs: Epochs;
  readonly tensors: TrainedTensors;
}): TorchTraining {
  const { learningRate, weightDecay } = options;
  const { schedule, published } = stepSettings(options, epochs);
  // A model's file has the embedding whether or not it is trained; an optimizer knows what is trained alone.
  const frozen = options.writeTorch === "model" ? frozenOf(state, whole) : [];
  return {
    ...tensors,
    parameters: new Map([...tensors.parameters, ...frozen]),
    // The last one that is done; the reference implementation goes on with the next.
    epoch: Math.max(0, Math.floor(done / epochs.epochSteps) - 1),
    steps: state.step,
    learningRate: { initial: learningRate, now: learningRate * rateAt(state.step, schedule, published) },
    ...{ betas: [adamW.beta1, adamW.beta2], eps: adamW.epsilon, weightDecay },
  };
}
