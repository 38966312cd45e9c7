/** What a run will take, known before it is opened. */
import { expect, test } from "vitest";
import { mpt } from "../../src/models/mpt.js";
import { zoo } from "../../src/models/zoo.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { forecastTraining, requireTrainingMemory } from "../../src/train/requireMemory.js";
import { expectError } from "../checkpoints/fixtures.js";

/** As `bench/trainStep.ts --width 256 --blocks 16`, of which docs/decisions/0020-training-step.md has figures. */
const form = zoo.find(({ name }) => name.endsWith("3B-vitl-mpt1b"))!.config;
const config = {
  ...form,
  language: mpt({
    ...{ layers: 16, hiddenSize: 256, heads: 4, mlpRatio: 4 },
    ...{ vocabulary: 1000, contextLength: 2048, alibiMax: 8 },
  }),
  vision: { ...form.vision, layers: 1 },
};
const options = (batchSizeLaion: number, gradientCheckpointing = false) =>
  readTrainingOptions({ laionShards: ["x"], maxTokensLaion: 256, batchSizeLaion, gradientCheckpointing });

test("a row more takes what was measured, and recomputed blocks a small part of it", () => {
  const [two, eight, recomputed] = [options(2), options(8), options(8, true)].map(
    (each) => forecastTraining(config, each).activations,
  ) as [number, number, number];
  const row = (eight - two) / 6 / 2 ** 30;
  console.log(`a row: ${row.toFixed(3)} GiB, measured 0.19`);
  expect(Math.abs(row / 0.19 - 1)).toBeLessThan(0.15);
  expect(recomputed).toBeLessThan(0.4 * eight);
});

test("frozen matrices in few bits take less, and nothing else is less", () => {
  const sizes = (["fp32", "int8", "int4"] as const).map((weights) =>
    forecastTraining(form, { ...options(1, true), weights }),
  );
  const frozen = sizes.map((each) => each.frozen);
  console.log(`the 3B's frozen weights: ${frozen.map((size) => (size / 2 ** 30).toFixed(2)).join(", ")} GiB`);
  expect(frozen.toSorted((a, b) => b - a)).toEqual(frozen);
  expect(new Set(sizes.map(({ state }) => state)).size).toBe(1);
  // A byte for four, but values are once in memory and once packed by the kernel, and scales three times.
  expect(frozen[1]! / frozen[0]!).toBeCloseTo(0.5 + (3 * 4) / (4 * 128), 1);
});

test("without data, state and weights are counted alone", () => {
  const { activations, state, frozen, total } = forecastTraining(config, readTrainingOptions({}));
  expect(activations).toBe(0);
  expect(total).toBe(state + frozen + 200e6);
});

test("what does not fit is an error that says what would", async () => {
  const total = 100e9;
  const need = (each: ReturnType<typeof options>) => forecastTraining(config, each).total;
  const given = options(8);
  expect(requireTrainingMemory({ free: need(given), total }, config, given)).toBeUndefined();
  const cases = [
    [need(given) - 1, "Try gradientCheckpointing true ("],
    [need(options(4, true)), "Try gradientCheckpointing true and batchSizeLaion 4 ("],
    [1e8, "Close other programs"],
  ] as const;
  for (const [free, hint] of cases) {
    const check = () => requireTrainingMemory({ free, total, limitedBy: "/x" }, config, given);
    const error = await expectError(check, "memory", "needs at least", "in the control group /x");
    expect(error.hint).toContain(hint);
    expect(error.hint).toContain("memoryCheck false");
  }
});
