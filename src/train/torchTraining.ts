/** A run's checkpoint as OpenFlamingo (Python) keeps one. Reference: open_flamingo/train/train.py and train_utils.py. */
import type { TrainedTensors } from "../runs/runState.js";
import type { TorchTraining } from "../runs/torchCheckpoint.js";
import { adamW } from "./adamw.js";
import type { Epochs } from "./epochs.js";
import type { TrainingOptions } from "./options/table.js";
import { rateAt } from "./schedule.js";
import { stepSettings } from "./stepSettings.js";

/**
 * @param done steps of the run
 * @param updates of the parameters: as many, or fewer where steps were dropped
 */
export function torchTraining(
  tensors: TrainedTensors,
  { done, updates }: { readonly done: number; readonly updates: number },
  options: TrainingOptions,
  epochs: Epochs,
): TorchTraining {
  const { schedule, published } = stepSettings(options, epochs);
  const { learningRate: initial, weightDecay } = options;
  return {
    ...tensors,
    // It is saved there at the end of an epoch and resumed with the next one: one under way counts as done.
    epoch: Math.max(0, Math.ceil(done / epochs.epochSteps) - 1),
    steps: updates,
    learningRate: { initial, now: initial * rateAt(updates, schedule!, published) },
    betas: [adamW.beta1, adamW.beta2],
    eps: adamW.epsilon,
    weightDecay,
  };
}
