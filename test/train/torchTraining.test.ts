/** What a run's checkpoint has for OpenFlamingo (Python): counted and named as that does. */
import { expect, test } from "vitest";
import type { TrainingStep } from "../../src/learn/step.js";
import { epochsOf } from "../../src/train/epochs.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { torchTraining } from "../../src/train/torchTraining.js";

const tensors = { parameters: new Map(), expAvg: new Map(), expAvgSq: new Map() };
const options = readTrainingOptions({
  ...{ run: "run", laionShards: ["shards"], trainNumSamplesLaion: 40, batchSizeLaion: 10, numEpochs: 3 },
  ...{ lrScheduler: "linear", warmupSteps: 0, learningRate: 0.5, weightDecay: 0.25 },
});
const epochs = epochsOf(["laion"], options);
const after = (done: number) => {
  const state = { trained: { tensors: [] }, step: done } as unknown as TrainingStep["state"];
  return torchTraining({ done, step: { state, whole: new Map() }, options, epochs, tensors });
};

test("an epoch has the number from 0 with which it is saved at its end; one under way is to be begun again", () => {
  expect([4, 5, 7, 8, 12].map((done) => after(done).epoch)).toEqual([0, 0, 0, 1, 2]);
});

test("the learning rate is that of the step to come", () => {
  expect(after(3)).toMatchObject({ steps: 3, learningRate: { initial: 0.5, now: 0.375 }, weightDecay: 0.25 });
});
