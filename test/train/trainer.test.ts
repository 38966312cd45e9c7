/** A trainer from its options to steps, checkpoints and a log: what it makes, what it goes on from, what it refuses. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { load } from "../../src/api/load.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import type { StepReport } from "../../src/train/steps.js";
import { createTrainer } from "../../src/train/trainer.node.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import {
  captionShards,
  documentShards,
  logOf,
  lossesOf,
  ownImages,
  quick,
  stateOf,
  tensorOf,
  train,
  valuesOf,
} from "./trainerRuns.js";

let laion: string;
let mmc4: string;
beforeAll(async () => {
  [laion, mmc4] = await Promise.all([captionShards(3, 3), documentShards(7)]);
});
const newRun = () => join(temporaryFolder(), "run");
const failureOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    () => expect.fail("nothing failed"),
    (error: OpenFlamingoError) => error,
  );
const embedding = "lang_encoder.transformer.wte.weight";

/** Kinds of data, and what changes what a step is; how many steps a run makes, and how many before it is left again. */
const forms = [
  {
    what: "pairs",
    options: () => ({ laionShards: [laion], trainNumSamplesLaion: 6 }),
    steps: 3,
    left: [2, 1],
  },
  {
    what: "documents",
    options: () => ({ mmc4Shards: [mmc4], trainNumSamplesMmc4: 6 }),
    steps: 3,
    left: [1, 2],
  },
  {
    what: "both, accumulated, an epoch's last step shorter",
    options: () => ({
      ...{ laionShards: [laion], mmc4Shards: [mmc4], gradientAccumulationSteps: 3, numEpochs: 2 },
      ...{ lrScheduler: "cosine", warmupSteps: 1 },
    }),
    steps: 4,
    left: [1, 1, 1, 1],
  },
  {
    what: "pairs with features that are kept",
    options: () => ({
      ...{ laionShards: [laion], trainNumSamplesLaion: 6 },
      cacheFeatures: join(temporaryFolder(), "features"),
    }),
    steps: 3,
    left: [1, 2],
  },
];

const isThatOfOneLeftAlone = async ({ options, steps, left }: (typeof forms)[number]) => {
  const [alone, resumed] = [newRun(), newRun()];
  const given = options();
  const whole = await train({ ...given, run: alone });
  expect(whole.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
  const parts: StepReport[] = [];
  for (const count of left) {
    parts.push(...(await train({ ...given, run: resumed }, { steps: count })));
    expect(existsSync(join(resumed, "lock"))).toBe(false);
  }
  expect(lossesOf(parts)).toEqual(lossesOf(whole));
  expect(stateOf(resumed, steps)).toEqual(stateOf(alone, steps));
  expect(valuesOf(resumed)).toEqual(valuesOf(alone));
};
const what = "$what: left and resumed, a run is that of one left alone";
test.each(forms.slice(0, 1))(what, isThatOfOneLeftAlone);
slowTest.each(forms.slice(1))(what, isThatOfOneLeftAlone);

slowTest("an epoch's last step is one of the batches that are left", async () => {
  const reports = await train({
    ...{ run: newRun(), laionShards: [laion], gradientAccumulationSteps: 3, numEpochs: 2 },
  });
  expect(reports.map(({ samples }) => samples)).toEqual([6, 2, 6, 2]);
});

test("checkpoints are kept by count and by number, the log has its lines, and the folder is a model", async () => {
  const run = newRun();
  const reports = await train({
    ...{ run, laionShards: [laion], numEpochs: 2, checkpointSteps: 2, loggingSteps: 3 },
    ...{ keepCheckpoints: 1, keepCheckpointEvery: 4, writeTorch: "model" },
  });
  expect(reports.map(({ checkpoint }) => checkpoint !== undefined)).toEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((step) => step % 2 === 0),
  );
  expect(readdirSync(join(run, "checkpoints")).sort()).toEqual(["step-00000004", "step-00000008"]);
  expect(readdirSync(join(run, "checkpoints", "step-00000008"))).toContain("checkpoint.pt");
  expect(logOf(run).map(({ step }) => step)).toEqual([3, 6, 8]);
  expect(Object.keys(logOf(run)[0]!)).toEqual([
    ...["step", "loss_laion", "gradient_norm", "lr", "step_time", "samples_per_second", "tokens_per_second"],
    "data_time_share",
  ]);
  await using flamingo = await load(run);
  const photo = golden("photos/camera.png");
  expect((await flamingo.caption(photo)).text).not.toBe("");
});

describe("what is trained", () => {
  slowTest(
    "may stand on frozen matrices in few bits, of which features are kept apart from others",
    async () => {
      const cacheFeatures = join(temporaryFolder(), "features");
      const options = { laionShards: [laion], cacheFeatures };
      const [exact] = await train({ ...options, run: newRun() }, { steps: 1 });
      const failure = await failureOf(train({ ...options, run: newRun(), weights: "int4" }));
      expect(failure).toMatchObject({ code: "usage", message: expect.stringContaining(cacheFeatures) });
      const [rounded] = await train(
        { ...options, cacheFeatures: undefined, run: newRun(), weights: "int4" },
        { steps: 1 },
      );
      expect(rounded!.loss.laion).not.toBe(exact!.loss.laion);
      expect(Math.abs(rounded!.loss.laion! / exact!.loss.laion! - 1)).toBeLessThan(0.1);
    },
  );

  slowTest("a frozen embedding is that of the model, in the run's model too", async () => {
    const [frozen, trained] = [newRun(), newRun()];
    const options = { laionShards: [laion], trainNumSamplesLaion: 2 };
    await train({ ...options, run: frozen, freezeLmEmbeddings: true, writeTorch: "model" });
    await train({ ...options, run: trained, learningRate: 1e-9, writeTorch: "training" });
    const [kept, moved] = [tensorOf(frozen, 1, embedding)!, tensorOf(trained, 1, embedding)!];
    expect(kept).toHaveLength(moved.length);
    // Steps of 1e-9 change nothing that can be seen: the same rows, of `<image>` and `<|endofchunk|>` too.
    const furthest = kept.reduce((most, x, i) => Math.max(most, Math.abs(x - moved[i]!)), 0);
    expect(furthest).toBeLessThan(1e-7);
    expect(readdirSync(join(trained, "checkpoints", "step-00000001"))).toContain("checkpoint_0.pt");
    // It goes on with tensors beside those that are trained.
    expect(await train({ ...options, run: frozen, freezeLmEmbeddings: true })).toEqual([]);
  });

  slowTest("connectors from scratch begin with closed gates, and follow from the seed", async () => {
    const options = { laionShards: [laion], fromScratch: true, learningRate: 1e-3 };
    const open = newRun();
    await train({ ...options, run: open, gateStart: 0.5 }, { steps: 1 });
    const gateName = "lang_encoder.transformer.blocks.3.gated_cross_attn_layer.attn_gate";
    expect(tensorOf(open, 1, gateName)![0]).toBeCloseTo(0.5, 2);
    const [a, b, c] = [newRun(), newRun(), newRun()];
    const first = await train({ ...options, run: a }, { steps: 1 });
    expect(lossesOf(await train({ ...options, run: b }, { steps: 1 }))).toEqual(lossesOf(first));
    expect(stateOf(b, 1)).toEqual(stateOf(a, 1));
    await train({ ...options, run: c, seed: 43 }, { steps: 1 });
    expect(tensorOf(c, 1, "perceiver.latents")).not.toEqual(tensorOf(a, 1, "perceiver.latents"));
    // One step moves a gate by the learning rate at most, from 0.
    const [gate] = tensorOf(a, 1, gateName)!;
    expect(gate).not.toBe(0);
    expect(Math.abs(gate!)).toBeLessThan(2e-3);
  });
});

slowTest("one's own images and captions are packed, learnt and cached in the run's folder", async () => {
  const run = newRun();
  const options = { ...(await ownImages(5)), run, numEpochs: 2 };
  const onNotice = vi.fn();
  const reports = await train(options, { onNotice, steps: 3 });
  expect(reports.at(-1)).toMatchObject({ step: 3, samples: 2 });
  expect(readdirSync(run).sort()).toEqual(
    expect.arrayContaining(["data", "features", "checkpoints", "model", "run.json"]),
  );
  expect((await train(options, { onNotice })).map(({ step }) => step)).toEqual([4]);
  expect(onNotice).not.toHaveBeenCalled();
});

slowTest(
  "validation loss and captions are there when they are due, and a caption that fails stops nothing",
  async () => {
    const run = newRun();
    const { images } = await ownImages(2);
    const captionImages = [join(images, "0.png"), join(images, "1.png")];
    const onNotice = vi.fn();
    const reports: StepReport[] = [];
    const options = readTrainingOptions({
      ...{ ...quick, run, laionShards: [laion], validationShards: [laion], validationSteps: 3 },
      ...{ captionImages, captionSteps: 2 },
    });
    await using trainer = await createTrainer(options, { onNotice });
    for await (const report of trainer.steps()) {
      reports.push(report);
      if (report.step === 2) writeFileSync(captionImages[1]!, "no image any more");
    }
    expect(reports.map(({ validationLoss }) => typeof validationLoss)).toEqual([
      ...["undefined", "undefined", "number", "number"],
    ]);
    expect(reports.map(({ captions }) => captions?.length)).toEqual([undefined, 2, undefined, undefined]);
    expect(onNotice.mock.calls).toEqual([[expect.stringMatching(/^no captions this time: .*1\.png/)]]);
    const lines = logOf(run).filter((line) => "loss_validation" in line);
    expect(lines).toEqual(
      [3, 4].map((step) => ({ step, loss_validation: reports[step - 1]!.validationLoss })),
    );
    expect(logOf(run).find((line) => "caption_1" in line)).toMatchObject({ step: 2 });
  },
);

describe("is refused", () => {
  const open = (options: Parameters<typeof readTrainingOptions>[0], onNotice = (_: string) => {}) =>
    failureOf(createTrainer(readTrainingOptions({ ...quick, ...options }), { onNotice }));

  test("a run without a folder, without data, with data or images that are not there, before a folder is made", async () => {
    expect(await open({ laionShards: [laion] })).toMatchObject({
      code: "usage",
      data: { options: ["run"] },
    });
    const run = newRun();
    expect(await open({ run })).toMatchObject({
      code: "usage",
      message: expect.stringContaining("nothing to train on"),
    });
    const missing = join(temporaryFolder(), "none");
    expect(await open({ run, laionShards: [missing] })).toMatchObject({ code: "data-missing" });
    const { images, captions } = await ownImages(1);
    const own = [
      { run, images, captions: missing },
      { run, images: missing, captions },
    ];
    for (const each of own) expect(await open(each)).toMatchObject({ code: "data-missing" });
    const data = { run, laionShards: [laion] };
    // Of batches that no machine has the memory for.
    const large = { ...data, batchSizeLaion: 65_536, trainNumSamplesLaion: 65_536, maxTokensLaion: 2048 };
    expect(await open(large)).toMatchObject({ code: "memory" });
    expect(await open({ ...data, validationShards: [missing] })).toMatchObject({ code: "data-missing" });
    expect(await open({ ...data, captionImages: [missing] })).toMatchObject({
      code: "image-missing",
      message: expect.stringContaining(missing),
    });
    expect(existsSync(run)).toBe(false);
  });

  test("a model that is none, and one that was prepared", async () => {
    const run = newRun();
    const data = { run, laionShards: [laion] };
    expect(await open({ ...data, model: join(temporaryFolder(), "none") })).toMatchObject({
      code: "model-missing",
    });
    expect(await open({ ...data, model: "./nothing-here" })).toMatchObject({ code: "model-missing" });
    const output = join(temporaryFolder(), "prepared");
    await prepare(randomModelFolder, output, { weights: "int8" });
    expect(await open({ ...data, model: output })).toMatchObject({
      code: "usage",
      message: expect.stringContaining("prepared"),
    });
    expect(existsSync(run)).toBe(false);
  });

  test("a second trainer, other options, and a run that is there where none may be", async () => {
    const run = newRun();
    const options = { ...quick, run, laionShards: [laion] };
    const trainer = await createTrainer(readTrainingOptions(options), { onNotice: () => {} });
    expect(await open(options)).toMatchObject({
      code: "run-locked",
      message: expect.stringContaining(`${process.pid}`),
    });
    const steps = trainer.steps();
    await steps.next();
    expect(() => trainer.steps()).toThrow(expect.objectContaining({ code: "usage" }));
    // Closed between two steps, it keeps what was reached.
    await trainer.close();
    expect(() => trainer.steps()).toThrow(expect.objectContaining({ code: "closed" }));
    expect(readdirSync(join(run, "checkpoints"))).toEqual(["step-00000001"]);
    expect(await open({ ...options, learningRate: 0.5, seed: 1, loggingSteps: 7 })).toMatchObject({
      code: "usage",
      message: expect.stringMatching(/other options: learningRate, seed$/),
    });
    expect(await open({ ...options, resume: false })).toMatchObject({
      code: "usage",
      message: expect.stringContaining("a run already"),
    });
    expect(existsSync(join(run, "lock"))).toBe(false);
  });
});

slowTest("a run of which no step was kept begins anew with other options", async () => {
  const run = newRun();
  const damaged = temporaryFolder();
  writeFileSync(join(damaged, "a.tar"), "no tar");
  expect(await failureOf(train({ run, laionShards: [damaged] }))).toMatchObject({ code: "data-missing" });
  const onNotice = vi.fn();
  const reports = await train({ run, laionShards: [laion] }, { onNotice, steps: 1 });
  expect(reports[0]).toMatchObject({ step: 1 });
  expect(onNotice.mock.calls).toEqual([[expect.stringContaining("begins anew with laionShards")]]);
  expect(logOf(run)).toHaveLength(1);
});

test("a signal ends a run with a checkpoint of what was reached", async () => {
  const run = newRun();
  const stop = new AbortController();
  const trainer = await createTrainer(readTrainingOptions({ ...quick, run, laionShards: [laion] }), {
    ...{ signal: stop.signal, onNotice: () => {} },
  });
  const steps = trainer.steps();
  await steps.next();
  stop.abort(new Error("enough"));
  await expect(steps.next()).rejects.toThrow("enough");
  await trainer.close();
  expect(readdirSync(join(run, "checkpoints"))).toEqual(["step-00000001"]);
});
