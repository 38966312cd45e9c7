/** The training of towers: it learns, it can be stopped and gone on with to the same numbers, and it writes what it did. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clampLogitScale, clipGraph, imageGraph } from "../../../../recipes/tiny/towers/clipGraph.js";
import { initialClip, initialMpt } from "../../../../recipes/tiny/towers/initialTower.js";
import { languageGraph } from "../../../../recipes/tiny/towers/languageGraph.js";
import { type TowerTraining, trainTower } from "../../../../recipes/tiny/towers/trainTower.js";
import { openOrtFfi } from "../../../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../../../src/runtime/runtime.js";
import { temporaryFolder } from "../../../checkpoints/fixtures.js";
import { clip, clipBatch, language, languageBatch } from "./tinyTowers.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

const clipTraining = (): TowerTraining => ({
  ...{ runtime, threads: 1, folder: join(temporaryFolder(), "run") },
  program: clipGraph(clip, { classes: { count: 3, weight: 0.5 } }),
  initial: initialClip({ seed: 1, config: clip }),
  settings: { seed: 1, sizes: [16, 12] },
  batchAt: async (step) => clipBatch(step % 4),
  ...{ steps: 12, learningRate: 1e-3, averageDecay: 0.9, checkpointEvery: 4, logEvery: 1 },
  afterStep: (parameter) => clampLogitScale(parameter("logit_scale")),
});

const all = (tensors: ReadonlyMap<string, { data: Float32Array }> | undefined) =>
  [...tensors!].map(([name, { data }]) => [name, [...data]] as const);

test("a run that was killed and one that was stopped by the clock end as one that was not", async () => {
  const whole = await trainTower(clipTraining());
  expect([whole.step, whole.isDone]).toEqual([12, true]);

  const killed = clipTraining();
  const seen: number[] = [];
  const kill = trainTower({
    ...killed,
    onProgress: ({ step }) => {
      seen.push(step);
      if (step === 6) throw new Error("killed");
    },
  });
  await expect(kill).rejects.toThrow("killed");
  const part = await trainTower({
    ...killed,
    stopAfterSeconds: 0,
    onProgress: ({ step }) => seen.push(step),
  });
  expect([part.step, part.isDone]).toEqual([5, false]); // from the checkpoint of step 4
  const resumed = await trainTower({ ...killed, onProgress: ({ step }) => seen.push(step) });
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(all(resumed.parameters)).toEqual(all(whole.parameters));
  expect(all(resumed.average)).toEqual(all(whole.average));
  expect(all(resumed.average)).not.toEqual(all(resumed.parameters));

  const lines = readFileSync(join(killed.folder, "log.jsonl"), "utf8").trim().split("\n");
  const steps = lines.map((line) => (JSON.parse(line) as { step: number }).step);
  expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(Object.keys(JSON.parse(lines[0]!) as object).sort()).toEqual(
    ["step", "contrastive", "classification", "loss", "gradient_norm", "lr", "step_time"].sort(),
  );
  // What is over stays so.
  expect(all((await trainTower(killed)).average)).toEqual(all(whole.average));
  await expect(trainTower({ ...killed, learningRate: 2e-3 })).rejects.toThrow(/begun with other settings/);
});

test("a few batches are learnt by heart, by both towers", async () => {
  const losses = async (training: TowerTraining) => {
    const seen: number[] = [];
    await trainTower({ ...training, onProgress: ({ values }) => seen.push(values.loss!) });
    return [seen[0]!, seen.at(-1)!] as const;
  };
  const of = { steps: 60, learningRate: 3e-3, checkpointEvery: undefined, averageDecay: undefined };
  const [first, last] = await losses({ ...clipTraining(), ...of, batchAt: () => clipBatch(0) });
  expect(first).toBeGreaterThan(1.4);
  // Two of the four texts are the same: half of the answers for their images are a guess between two.
  expect(last).toBeLessThan(0.5);
  const [before, after] = await losses({
    ...{ ...clipTraining(), ...of, afterStep: undefined },
    program: languageGraph(language),
    initial: initialMpt({ seed: 1, layers: 2 }),
    batchAt: () => languageBatch(0),
  });
  expect(before).toBeGreaterThan(2);
  expect(after).toBeLessThan(before / 4);
});

test("an evaluation sees the mean of the parameters, and leaves them as they were", async () => {
  const features = imageGraph(clip, 3);
  const { pixels } = clipBatch(9);
  const seen: number[] = [];
  const training = clipTraining();
  const evaluated = await trainTower({
    ...training,
    evaluateEvery: 5,
    async evaluate(load, step) {
      const run = await load(features);
      const { scores } = await run({ pixels: pixels! });
      seen.push(step);
      return { score: Number(scores!.data[0]) };
    },
  });
  expect(seen).toEqual([5, 10, 12]);
  const noted = readFileSync(join(training.folder, "log.jsonl"), "utf8").match(/"score":/g);
  expect(noted).toHaveLength(3);
  expect(all(evaluated.parameters)).toEqual(all((await trainTower(clipTraining())).parameters));
});

test("the temperature stays below 100", async () => {
  const { parameters } = await trainTower({
    ...clipTraining(),
    ...{ steps: 3, learningRate: 5, warmupSteps: 0 },
  });
  expect(parameters.get("logit_scale")!.data[0]!).toBeLessThanOrEqual(Math.fround(Math.log(100)));
  const scale = Float32Array.of(7);
  clampLogitScale(scale);
  expect(scale[0]).toBeCloseTo(Math.log(100), 5);
});

test("what a batch throws ends the run, and a loss that is no number does too", async () => {
  const fails = trainTower({
    ...clipTraining(),
    batchAt: (step) => {
      if (step === 2) throw new Error("no such batch");
      return clipBatch(step);
    },
  });
  await expect(fails).rejects.toThrow("no such batch");
  const { pixels, ...batch } = clipBatch();
  const broken = { ...pixels!, data: new Float32Array(pixels!.data.length).fill(Number.NaN) };
  const notFinite = trainTower({ ...clipTraining(), batchAt: () => ({ ...batch, pixels: broken }) });
  await expect(notFinite).rejects.toThrow(/no numbers/);
});
