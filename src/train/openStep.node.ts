/** A model ready to be trained by a loop of one's own: the step alone, without data and a run's folder. */
import { openBaseModel } from "./baseModel.node.js";
import { epochsOf } from "./epochs.js";
import { type ModelToTrain, openModelToTrain, readModelToTrain } from "./openTraining.node.js";
import type { TrainingOptions } from "./options/table.js";
import { stepSettings } from "./stepSettings.js";
import type { TrainerOptions } from "./trainer.node.js";

/**
 * Opens a model and its step.
 *
 * @param options of `readTrainingOptions`: those of model, precision, loss, optimizer and schedule; the schedule is as long
 *   as `trainNumSamplesLaion`, `batchSizeLaion` and `numEpochs` make it, with documents alone (`mmc4Shards`) those of them
 * @returns step, tokenizer and preprocessing: what `openTrainingData` takes
 * @throws OpenFlamingoError `usage` for a prepared folder; `model-…`, `checkpoint-…`; of a released model `network`,
 *   `disk`; `memory`, `backend`; `signal.reason`
 */
export async function openStep(
  options: TrainingOptions,
  { signal, onNotice = (text) => process.emitWarning(text), onProgress }: TrainerOptions = {},
): Promise<ModelToTrain> {
  const how = { signal, onNotice, onProgress };
  const base = await openBaseModel(options.model, options.crossAttnEveryNLayers, options.fromScratch, how);
  const kind = options.mmc4Shards.length > 0 && options.laionShards.length === 0 ? "mmc4" : "laion";
  const configs = await readModelToTrain(base, options, signal);
  return openModelToTrain(base, configs, options, stepSettings(options, epochsOf([kind], options)), how);
}
