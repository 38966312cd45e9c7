/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Training: a run in a folder, as `openflamingo train` makes it, and its parts for a loop of one's own.
 *
 * `createTrainer` opens a run and makes its steps, `planTraining` says beforehand what it needs. The parts: `openStep`
 * makes a model ready, `openTrainingData` reads shards, `stepBatch` gives a batch of the one to the other.
 *
 * @example
 * // A run: begun, or gone on with where it is there already.
 * import { createTrainer, readTrainingOptions } from "openflamingo/train";
 *
 * const options = readTrainingOptions({
 *   ...{ images: "photos", captions: "captions.csv", run: "my-run", numEpochs: 1, batchSizeLaion: 2 },
 * });
 * const trainer = await createTrainer(options, { onNotice: () => {} });
 * try {
 *   for await (const { step, loss } of trainer.steps()) {
 *     if (Number.isFinite(loss.laion)) console.log(`${step} of ${trainer.totalSteps}`); // 1 of 1
 *   }
 * } finally {
 *   await trainer.close();
 * }
 *
 * @example
 * // A loop of one's own: two steps, and the loss of the second batch before and behind its step.
 * import { openStep, openTrainingData, readTrainingOptions, stepBatch } from "openflamingo/train";
 *
 * const shards = "my-run/data"; // as `openflamingo data pack` writes them
 * const options = readTrainingOptions({ lrScheduler: "constant", warmupSteps: 0, learningRate: 1e-3 });
 * const model = await openStep(options);
 * try {
 *   const losses: number[] = [];
 *   const data = await openTrainingData({ shards, kind: "captions", batch: 2, flip: false }, model);
 *   for await (const batch of data.batches) {
 *     const laion = stepBatch(batch);
 *     losses.push(await model.step.lossOf(laion));
 *     await model.step.run({ laion });
 *     losses.push(await model.step.lossOf(laion));
 *     if (losses.length === 4) break;
 *   }
 *   console.log(losses[3]! < losses[2]!); // true
 * } finally {
 *   await model.close();
 * }
 *
 * @module
 */

export { OpenFlamingoError } from "../base/errors.js";
export type { TrainingDataOptions } from "../data/options.js";
export type { DataPosition } from "../data/position.js";
export {
  type DataForModel,
  openTrainingData,
  type TrainingBatch as DataBatch,
  type TrainingData,
} from "../data/trainingData.node.js";
export type { DataKind, TrainingBatch, TrainingBatches, TrainingImages } from "../learn/batch.js";
export type { TrainingState } from "../learn/state.js";
export type { StepResult, TrainingStep } from "../learn/step.js";
export { stepBatch } from "./imageTokens.js";
export { openStep } from "./openStep.node.js";
export type { ModelToTrain } from "./openTraining.node.js";
export { readTrainingOptions } from "./options/readOptions.js";
export { readSettings } from "./options/settingsFile.node.js";
export type { TrainingOptions } from "./options/table.js";
export type { TrainingPlan } from "./plan.js";
export { planTraining } from "./planTraining.node.js";
export type { StepReport } from "./steps.js";
export { createTrainer, type Trainer, type TrainerOptions } from "./trainer.node.js";
