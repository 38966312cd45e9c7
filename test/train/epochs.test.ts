/** How a run is divided into steps, and what they keep of an embedding of which a few rows are trained. */
import { expect, test } from "vitest";
import type { DataKind } from "../../src/learn/batch.js";
import { emptyState } from "../../src/learn/state.js";
import { frozenOf, takeTensors, tensorsOf } from "../../src/learn/stateTensors.js";
import { placeTensors } from "../../src/learn/trainedTensors.js";
import { epochsOf } from "../../src/train/epochs.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";

const given = { trainNumSamplesLaion: 45, batchSizeLaion: 5, trainNumSamplesMmc4: 14, batchSizeMmc4: 2 };
test.each<readonly [string, readonly DataKind[], object, number, readonly number[]]>([
  ["pairs", ["laion"], {}, 9, [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ["documents", ["mmc4"], { gradientAccumulationSteps: 3 }, 7, [3, 3, 1]],
  ["epochs", ["mmc4"], { gradientAccumulationSteps: 4, numEpochs: 2 }, 7, [4, 3, 4, 3]],
  ["steps without a rest", ["laion"], { gradientAccumulationSteps: 3, numEpochs: 2 }, 9, [3, 3, 3, 3, 3, 3]],
  ["processes, each with its share", ["laion"], { worldSize: 4, numEpochs: 2 }, 2, [1, 1, 1, 1]],
  ["fewer samples than a batch", ["laion"], { trainNumSamplesLaion: 3 }, 1, [1]],
])("%s", (_, kinds, more, batches, steps) => {
  const epochs = epochsOf(kinds, readTrainingOptions({ ...given, ...more }));
  expect([epochs.batches, epochs.steps]).toEqual([batches, steps.length]);
  expect(steps.map((_, step) => epochs.batchesOf(step))).toEqual(steps);
});

test("rows that are trained come back from the whole tensor, and others are the model's", () => {
  const trained = placeTensors([
    { name: "embedding", shape: [2, 3], rows: [1, 3] },
    { name: "latents", shape: [2, 2] },
  ]);
  const numbered = () => {
    const state = emptyState(trained);
    for (const [i, array] of [state.parameters, state.firstMoments, state.secondMoments].entries()) {
      for (const { offset, shape } of trained.tensors) {
        for (let at = 0; at < shape[0]! * shape[1]!; at++) array[offset + at] = 100 * (i + 1) + offset + at;
      }
    }
    return state;
  };
  const own = Float32Array.from({ length: 12 }, (_, i) => -i);
  const whole = new Map([
    ["embedding", { shape: [4, 3], data: own }],
    ["another", { shape: [1], data: new Float32Array(1) }],
  ]);
  const state = numbered();
  const tensors = tensorsOf(state, whole);
  expect([...tensors.parameters.get("embedding")!.data]).toEqual([
    ...[-0, -1, -2, 100, 101, 102, -6, -7, -8, 103, 104, 105],
  ]);
  expect([...tensors.expAvg.get("embedding")!.data]).toEqual([
    0, 0, 0, 200, 201, 202, 0, 0, 0, 203, 204, 205,
  ]);
  expect([...tensors.expAvgSq.get("latents")!.data]).toEqual([316, 317, 318, 319]);
  expect([...own]).toEqual(Array.from({ length: 12 }, (_, i) => -i));
  expect([...frozenOf(state, whole).keys()]).toEqual(["another"]);

  const again = emptyState(trained);
  takeTensors(again, tensors);
  for (const array of ["parameters", "firstMoments", "secondMoments"] as const) {
    expect(again[array]).toEqual(state[array]);
  }
});
