/** A plan before a run: what it says, and that it leaves nothing behind. */
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { planTable } from "../../src/cli/trainingPlan.js";
import { emptyState } from "../../src/learn/state.js";
import { placeTensors } from "../../src/learn/trainedTensors.js";
import { notFaster } from "../../src/train/openTraining.node.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { encodedShare, planOf } from "../../src/train/plan.js";
import { planTraining } from "../../src/train/planTraining.node.js";
import { expectError, temporaryFolder } from "../checkpoints/fixtures.js";
import { runInProcess } from "../cli/inProcess.js";
import { randomModelFolder } from "../goldens.js";

const photo = (name: string) => new URL(`../../assets/photos/${name}`, import.meta.url);

function ownImages(): { readonly folder: string; readonly images: string; readonly captions: string } {
  const folder = temporaryFolder();
  const [images, captions] = [join(folder, "photos"), join(folder, "captions.csv")];
  mkdirSync(images);
  copyFileSync(photo("rocket.jpg"), join(images, "1.jpg"));
  copyFileSync(photo("chelsea.png"), join(images, "2.png"));
  writeFileSync(captions, "image,text\n1.jpg,a rocket\n2.png,a cat\n");
  return { folder, images, captions };
}

test("a plan is put together from what was measured", () => {
  const state = emptyState(
    placeTensors([
      { name: "perceiver.latents", shape: [3, 5] },
      { name: "wte", shape: [2, 8], rows: [6, 7] },
    ]),
  );
  const options = readTrainingOptions({
    gradientAccumulationSteps: 4,
    keepCheckpoints: 2,
    checkpointSteps: 3,
  });
  const epochs = { kinds: ["laion"], batches: 10, epochSteps: 3, steps: 9, batchesOf: () => 4 } as const;
  const whole = new Map([["wte", { shape: [100, 8], data: new Float32Array(800) }]]);
  const measured = {
    batch: 2,
    encoding: 0,
    optimizer: 0.5,
    firstMore: 3,
    batches: {},
    activations: 7,
    total: 1e9,
  };
  const plan = planOf(measured, { options, epochs, state, whole, frozen: 11 });
  expect(plan.trained).toBe(31);
  expect(plan.memory).toEqual({
    // Each tensor begins at a multiple of 64 bytes.
    ...{ parameters: 128, moments: 256, gradients: 128, frozen: 11, activations: 7, total: 1e9 },
  });
  // Ten batches in three steps.
  expect(plan.seconds.step).toBeCloseTo((10 * 2) / 3 + 0.5, 6);
  expect(plan.hours * 3600).toBeCloseTo(3 + 9 * plan.seconds.step, 6);
  expect(plan.checkpoint).toBe(3 * 4 * (15 + 800));
  expect(plan.disk).toBe(3 * plan.checkpoint);
  const withTorch = { ...options, writeTorch: "model", keepCheckpointEvery: 9 } as const;
  const { checkpoint, disk } = planOf(measured, { options: withTorch, epochs, state, whole, frozen: 11 });
  expect([checkpoint, disk]).toEqual([4 * 4 * 815, 3 * checkpoint]);
});

test("images whose features are kept are encoded once, or once a way that they are turned", () => {
  const features = { cacheFeatures: "features", flip: false, numEpochs: 4 };
  expect(encodedShare(features)).toBe(1 / 4);
  expect(encodedShare({ ...features, flip: true })).toBe((2 * (1 - 1 / 16)) / 4);
  expect(encodedShare({ ...features, flip: true, numEpochs: 1 })).toBe(1);
  expect(encodedShare({ ...features, cacheFeatures: undefined })).toBe(1);
  const measured = {
    batch: 5,
    encoding: 4,
    optimizer: 0.5,
    firstMore: 3,
    batches: {},
    activations: 0,
    total: 0,
  };
  const options = readTrainingOptions({ cacheFeatures: "features", flip: false, numEpochs: 4 });
  const epochs = { kinds: ["laion"], batches: 2, epochSteps: 2, steps: 8, batchesOf: () => 1 } as const;
  const state = emptyState(placeTensors([]));
  const { seconds } = planOf(measured, { options, epochs, state, whole: new Map(), frozen: 0 });
  expect(seconds).toEqual({ step: 1 + 1 + 0.5, optimizer: 0.5, encoding: 1, firstMore: 3 });
});

test("--plan says what a run needs, and leaves no folder", async () => {
  const { folder, images, captions } = ownImages();
  const temporary = join(folder, "temporary");
  mkdirSync(temporary);
  vi.stubEnv("TMPDIR", temporary);
  const run = join(folder, "run");
  const args = [
    "train",
    "--plan",
    "--model",
    randomModelFolder,
    "--images",
    images,
    "--captions",
    captions,
    "--run",
    run,
  ];
  const { code, stdout, stderr } = await runInProcess([...args, "--json", "--precision", "amp_bf16"]);
  vi.unstubAllEnvs();
  expect({ code, stderr }).toEqual({ code: 0, stderr: `${notFaster}\n` });
  const plan = JSON.parse(stdout) as Awaited<ReturnType<typeof planTraining>>;
  expect(plan).toMatchObject({ trained: 708420, steps: 10, batches: { laion: { rows: 2, images: 2 } } });
  const { memory, seconds, hours } = plan;
  expect(memory).toMatchObject({ parameters: 2833920, moments: 5667840, gradients: 2833920 });
  expect(memory.total).toBeGreaterThan(memory.activations + memory.frozen + 4 * memory.parameters);
  expect(memory.frozen).toBeGreaterThan(1e6);
  expect(hours * 3600).toBeCloseTo(seconds.firstMore + 10 * seconds.step, 6);
  expect(seconds.step).toBeGreaterThan(seconds.optimizer + seconds.encoding);
  expect(readdirSync(folder).sort()).toEqual(["captions.csv", "photos", "temporary"]);
  // What the backend has there stays until the process ends.
  expect(readdirSync(temporary).filter((name) => name.includes("plan"))).toEqual([]);
  expect(planTable(plan)).toMatch(/^trained parameters +0\.71 M\nmemory in all +\d/);
}, 60_000);

test("a plan of one's own images without a temporary folder is an error that says so", async () => {
  const { folder, images, captions } = ownImages();
  vi.stubEnv("TMPDIR", join(folder, "missing"));
  const options = readTrainingOptions({ images, captions });
  await expectError(
    () => planTraining(options),
    "disk",
    "no temporary files can be made in ",
    join(folder, "missing"),
  );
  vi.unstubAllEnvs();
});

test("a plan without data is an error before a model is opened", async () => {
  await expectError(
    () => planTraining(readTrainingOptions({ model: "/nowhere" })),
    "usage",
    "nothing to train on",
  );
});
