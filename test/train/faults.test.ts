/**
 * What goes wrong while a run trains: data that are damaged or vanish, a loss that is no number, a disk that is full. What
 * was kept stays, and the user is told what and where.
 */
import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import type { TrainingBatches } from "../../src/learn/batch.js";
import type { StepReport } from "../../src/train/steps.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { type File, tar } from "../data/makeTar.js";
import { imageFile } from "../pack/shards.js";
import { slowTest } from "../slow.js";
import { captionShards, documentShards, logOf, lossesOf, stateOf, train, valuesOf } from "./trainerRuns.js";

/** What is done to a step, or to the saving of one, by its number in the process of the test. */
const faults = vi.hoisted(() => ({
  beforeStep: undefined as ((step: number, batches: readonly unknown[], state: unknown) => void) | undefined,
  isDamaged: false,
  save: undefined as ((step: number) => void) | undefined,
}));
vi.mock("../../src/learn/step.js", async (original) => {
  const real = await original<typeof import("../../src/learn/step.js")>();
  const createStep: typeof real.createStep = async (options) => {
    const step = await real.createStep(options);
    const run: typeof step.run = async (batches, how) => {
      faults.beforeStep?.(step.state.step + 1, batches as readonly TrainingBatches[], step.state);
      return step.run(batches, how);
    };
    return { ...step, run, isDamaged: () => faults.isDamaged || step.isDamaged() };
  };
  return { ...real, createStep };
});
vi.mock("../../src/runs/saveCheckpoint.node.js", async (original) => {
  const real = await original<typeof import("../../src/runs/saveCheckpoint.node.js")>();
  const saveCheckpoint: typeof real.saveCheckpoint = async (folder, state, options) => {
    faults.save?.(state.step);
    return real.saveCheckpoint(folder, state, options);
  };
  return { ...real, saveCheckpoint };
});
beforeEach(() => Object.assign(faults, { beforeStep: undefined, isDamaged: false, save: undefined }));

const newRun = () => join(temporaryFolder(), "run");
const failureOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    () => expect.fail("nothing failed"),
    (error: OpenFlamingoError) => error,
  );
const checkpoints = (run: string) => readdirSync(join(run, "checkpoints")).sort();
const full = () => {
  throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
};

/** A shard of captioned images; those of these numbers are none. */
async function shardOf(name: string, count: number, wrong: readonly number[] = []): Promise<Buffer> {
  const files: File[] = [];
  for (let i = 0; i < count; i++) {
    const data = wrong.includes(i) ? "no image" : await imageFile(i);
    files.push({ name: `${name}${i}.png`, data }, { name: `${name}${i}.txt`, data: `caption ${i}` });
  }
  return tar(files);
}

describe("damaged data", () => {
  /** Four shards: one whole, one with a wrong image, one cut off, one that is no tar. */
  async function damagedShards(): Promise<string> {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a.tar"), await shardOf("a", 4));
    writeFileSync(join(folder, "b.tar"), await shardOf("b", 4, [2]));
    const cut = await shardOf("c", 4);
    writeFileSync(join(folder, "c.tar"), cut.subarray(0, Math.floor(cut.length / 2)));
    writeFileSync(join(folder, "d.tar"), Buffer.alloc(4096, 7));
    return folder;
  }

  slowTest("are counted by cause and shard, told of, and survived; a resumed run counts on", async () => {
    const folder = await damagedShards();
    const options = { laionShards: [folder], batchSizeLaion: 3, trainNumSamplesLaion: 15 };
    const [alone, resumed] = [newRun(), newRun()];
    const notices: string[] = [];
    const whole = await train({ ...options, run: alone }, { onNotice: (text) => notices.push(text) });
    expect(whole).toHaveLength(5);
    const { skipped } = whole.at(-1)!;
    expect(skipped["image-unreadable"]).toBeGreaterThanOrEqual(1);
    expect(skipped["shard-damaged"]).toBeGreaterThanOrEqual(2);
    expect(logOf(alone).at(-1)).toMatchObject({
      skipped_image_unreadable: skipped["image-unreadable"],
      skipped_shard_damaged: skipped["shard-damaged"],
    });
    const last = notices.at(-1)!;
    expect(last).toMatch(/^left out of the data(?: so far)?: /);
    expect(last).toMatch(/\d+ × an image cannot be decoded \([^)]*b\.tar: \d+\)/);
    expect(last).toMatch(/\d+ × the shard is cut off or corrupt \([^)]*\)/);
    for (const shard of ["c.tar", "d.tar"]) expect(last).toContain(join(folder, shard));
    expect(last).not.toContain("a.tar");

    const parts: StepReport[] = [];
    for (const steps of [2, 3]) parts.push(...(await train({ ...options, run: resumed }, { steps })));
    expect(lossesOf(parts)).toEqual(lossesOf(whole));
    expect(parts.map((each) => each.skipped)).toEqual(whole.map((each) => each.skipped));
    expect(stateOf(resumed, 5)).toEqual(stateOf(alone, 5));
  });

  test("beyond the limit the run stops with the names and a checkpoint", async () => {
    const folder = temporaryFolder();
    const whole = await shardOf("x", 4);
    for (let i = 0; i < 2; i++) writeFileSync(join(folder, `a${i}.tar`), await shardOf(`a${i}`, 4));
    for (let i = 0; i < 3; i++) writeFileSync(join(folder, `x${i}.tar`), whole.subarray(0, 2500));
    const run = newRun();
    const notices: string[] = [];
    const error = await failureOf(
      train(
        { run, laionShards: [folder], trainNumSamplesLaion: 400, shuffleSamples: 1, batchSizeLaion: 1 },
        { onNotice: (text) => notices.push(text) },
      ),
    );
    expect(error).toMatchObject({
      code: "data-invalid",
      message: expect.stringMatching(/3 of \d shards cannot be used .*x\d\.tar/),
    });
    expect(notices.at(-1)).toMatch(/3 × the shard is cut off or corrupt/);
    expect(checkpoints(run)).toHaveLength(1);
  });

  slowTest(
    "a shard that vanishes between epochs is missing, in the run and after it is resumed; later ones are not read",
    async () => {
      const folder = await captionShards(3, 8);
      const names = readdirSync(folder).filter((name) => name.endsWith(".tar"));
      // More than is read ahead: 2 batches and 32 samples.
      const sizes = { batchSizeLaion: 8, trainNumSamplesLaion: 24, numEpochs: 6, shuffleSamples: 1 };
      const options = { laionShards: [folder], ...sizes };
      const [alone, resumed] = [newRun(), newRun()];
      const aside = join(temporaryFolder(), names[0]!);
      const vanish = (report: StepReport) => {
        if (report.step === 3) rmSync(join(folder, names[0]!), { force: true });
      };
      copyFileSync(join(folder, names[0]!), aside);
      const counted = (reports: readonly StepReport[]) => reports.at(-1)!.skipped["shard-missing"];
      const whole = await train({ ...options, run: alone, maxSkipped: 1 }, { onStep: vanish });
      expect(whole).toHaveLength(18);
      expect(counted(whole)).toBeGreaterThanOrEqual(1);

      copyFileSync(aside, join(folder, names[0]!));
      await train({ ...options, run: resumed, maxSkipped: 1 }, { steps: 3 });
      rmSync(join(folder, names[0]!));
      copyFileSync(aside, join(folder, "later.tar"));
      const notices: string[] = [];
      const rest = await train(
        { ...options, run: resumed, maxSkipped: 1 },
        { onNotice: (text) => notices.push(text) },
      );
      expect(rest.map(({ step }) => step)).toEqual(Array.from({ length: 15 }, (_, i) => 4 + i));
      expect(counted(rest)).toBeGreaterThanOrEqual(1);
      expect(notices[0]).toMatch(/^1 shards have come since the run began, and are not read: .*later\.tar$/);
      expect(notices.at(-1)).toContain("× the shard cannot be read");
      // Shards of the folder that it was not begun with are other data.
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, "other.tar"), await shardOf("o", 4));
      const other = { ...options, run: newRun() };
      await train(other, { steps: 1 });
      rmSync(join(folder, "other.tar"));
      writeFileSync(join(folder, "another.tar"), await shardOf("p", 4));
      expect(await failureOf(train(other))).toMatchObject({
        code: "usage",
        message: expect.stringContaining("other shards or options"),
      });
    },
  );

  slowTest("what a rule leaves out is told at the end alone", async () => {
    const notices: string[] = [];
    const mmc4 = await documentShards(6);
    const options = { mmc4Shards: [mmc4], mmc4MinNumImages: 1, mmc4MaxNumImages: 1, trainNumSamplesMmc4: 2 };
    const reports = await train(
      { ...options, run: newRun(), batchSizeMmc4: 2 },
      { onNotice: (text) => notices.push(text) },
    );
    expect(reports).toHaveLength(1);
    expect(Object.keys(reports[0]!.skipped)).toEqual(["one-image"]);
    expect(notices).toEqual([expect.stringMatching(/^left out by the rules of the data: \d/)]);
  });
});

describe("a loss that is not a number", () => {
  const poisoned = (at: number) => (step: number, batches: readonly unknown[]) => {
    if (step !== at) return;
    for (const { laion } of batches as readonly TrainingBatches[]) laion!.images.pixels!.fill(Number.NaN);
  };

  test("stops the run at the step before, names the samples, and takes no earlier checkpoint's place", async () => {
    const folder = await captionShards(2, 4);
    const options = { laionShards: [folder], numEpochs: 2, checkpointSteps: 1, keepCheckpoints: 1 };
    const run = newRun();
    const alone = newRun();
    const whole = await train({ ...options, run: alone });
    faults.beforeStep = poisoned(4);
    const error = await failureOf(train({ ...options, run, checkpointSteps: 2 }));
    expect(error).toMatchObject({
      code: "loss-not-finite",
      message: expect.stringMatching(
        /^the loss of laion in batch 0 of the step is not a number, or infinite\. Its samples: \S+\.tar: \w+, \S+\.tar: \w+$/,
      ),
      hint: expect.stringContaining(`${run} has the checkpoint of step 3. Nothing was changed.`),
      data: { batch: 0, saved: 3, samples: [expect.any(String), expect.any(String)] },
    });
    expect(checkpoints(run)).toEqual(["step-00000002", "step-00000003"]);
    faults.beforeStep = undefined;
    expect(lossesOf(await train({ ...options, run }))).toEqual(lossesOf(whole).slice(3));
    expect(stateOf(run, 8)).toEqual(stateOf(alone, 8));
  });

  slowTest("at the first step leaves no checkpoint, and of many samples the first are named", async () => {
    const folder = await captionShards(1, 7);
    const run = newRun();
    faults.beforeStep = poisoned(1);
    const error = await failureOf(
      train({ run, laionShards: [folder], batchSizeLaion: 7, trainNumSamplesLaion: 7 }),
    );
    expect(error.message).toMatch(/ and 2 more$/);
    expect(error.hint).toContain("has no checkpoint yet");
    expect(error.data.samples).toHaveLength(7);
    expect(checkpoints(run)).toEqual([]);
  });

  slowTest("where parameters are no numbers either, they are not kept", async () => {
    const run = newRun();
    faults.beforeStep = (step, _, state) => {
      if (step === 4) (state as { parameters: Float32Array }).parameters.fill(Number.NaN);
    };
    const options = { run, laionShards: [await captionShards(1, 4)], checkpointSteps: 2 };
    const error = await failureOf(train(options, {}));
    expect(error.hint).toContain("has the checkpoint of step 2.");
    expect(checkpoints(run)).toEqual(["step-00000002"]);
  });
});

slowTest("a state that the optimizer left half changed is not kept", async () => {
  const run = newRun();
  faults.beforeStep = (step) => {
    if (step !== 3) return;
    faults.isDamaged = true;
    throw new OpenFlamingoError("backend", "the runtime gave up halfway", { hint: "Try again." });
  };
  const error = await failureOf(train({ run, laionShards: [await captionShards(1, 4)] }));
  expect(error.code).toBe("backend");
  expect(checkpoints(run)).toEqual([]);
});

describe("a disk that is full", () => {
  slowTest("while a checkpoint is saved: what was saved stays, and the run goes on from there", async () => {
    const folder = await captionShards(2, 4);
    const options = { laionShards: [folder], checkpointSteps: 2 };
    const [alone, run] = [newRun(), newRun()];
    const whole = await train({ ...options, run: alone });
    const asked: number[] = [];
    faults.save = (step) => {
      asked.push(step);
      if (step === 4) full();
    };
    expect(await failureOf(train({ ...options, run }))).toMatchObject({
      code: "disk",
      message: expect.stringContaining("The checkpoint of step 4 is not saved; those before it are whole"),
    });
    expect(asked).toEqual([2, 4]); // not asked twice
    expect(checkpoints(run)).toEqual(["step-00000002"]);
    faults.save = undefined;
    expect(lossesOf(await train({ ...options, run }))).toEqual(lossesOf(whole).slice(2));
    expect(stateOf(run, 4)).toEqual(stateOf(alone, 4));
    expect(valuesOf(run)).toHaveLength(4);
  });

  slowTest("when another error ends the run: that one is thrown, and this one told", async () => {
    const run = newRun();
    const notices: string[] = [];
    faults.beforeStep = (step) => {
      if (step === 3)
        throw new OpenFlamingoError("memory", "there is no memory left", { hint: "Stop others." });
    };
    faults.save = full;
    const work = train(
      { run, laionShards: [await captionShards(1, 4)] },
      { onNotice: (text) => notices.push(text) },
    );
    expect(await failureOf(work)).toMatchObject({ code: "memory" });
    expect(notices).toEqual([expect.stringContaining("The checkpoint of step 2 is not saved")]);
  });

  slowTest("when the reader stops: it is an error", async () => {
    faults.save = full;
    const options = { run: newRun(), laionShards: [await captionShards(1, 4)] };
    expect(await failureOf(train(options, { steps: 1 }))).toMatchObject({ code: "disk" });
  });
});

slowTest("features that are damaged on the disk are computed as they were", async () => {
  const folder = await captionShards(1, 4);
  const features = join(temporaryFolder(), "features");
  const options = { laionShards: [folder], cacheFeatures: features, numEpochs: 2, flip: false };
  const notices: string[] = [];
  const first = await train({ ...options, run: newRun() });
  const file = join(features, "features.bin");
  const bytes = readFileSync(file);
  bytes[5]! ^= 1;
  writeFileSync(file, bytes);
  truncateSync(file, bytes.length - 3);
  const again = await train({ ...options, run: newRun() }, { onNotice: (text) => notices.push(text) });
  expect(lossesOf(again)).toEqual(lossesOf(first));
  expect(notices).toEqual([expect.stringContaining("features in it are damaged")]);
});
