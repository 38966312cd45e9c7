/**
 * Steps of training beside the reference implementation's own: every run of goldens/README.md, `golden/training`, with
 * the flaws that it has; and what is asked of a step otherwise.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import type { TrainingBatches } from "../../src/learn/batch.js";
import type { Published } from "../../src/learn/published.js";
import type { StepOptions } from "../../src/learn/step.js";
import { viewOf } from "../../src/learn/trainedTensors.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { compared } from "../parity.js";
import { isSlowAsked } from "../slow.js";
import { onBackends, tinyModel9bWith } from "../tinyModel.js";
import { goldenBatches, openStep, type Run, sampled, trainingOf } from "./goldenTraining.js";

/** As the option of this name switches them on. */
const asPublished: Published = readTrainingOptions({ asPublished: true });

const optionsOf = ({ settings }: Run): Partial<StepOptions> => ({
  learningRate: settings.learning_rate,
  weightDecay: settings.weight_decay,
  schedule: {
    kind: settings.lr_scheduler,
    warmupSteps: settings.warmup_steps,
    totalSteps: settings.total_steps,
  },
  accumulation: settings.gradient_accumulation_steps,
  lossWeights: { laion: settings.loss_multiplier_laion, mmc4: settings.loss_multiplier_mmc4 },
  published: asPublished,
});

const nineB = tinyModel9bWith("training/parameters-after.safetensors", "steps of training");
const runs = onBackends(nineB).flatMap((model) =>
  trainingOf(model)
    .runs // One run has all settings in it. The binding computes the same by the same library.
    .filter(({ name }) => (isSlowAsked && model.backend === "ort.ffi") || name === "cosine_accumulate_2")
    .map((run) => ({ model, run, what: `${run.name} of ${model.name} on ${model.backend}` })),
);

test.each(runs)(
  "$what: losses, rates, norms and parameters are the reference implementation's",
  async ({ model, run }) => {
    await using runtime = await model.openRuntime();
    const batches = (await goldenBatches(model)).slice(0, run.batches);
    const step = await openStep(model, runtime, { ...optionsOf(run), recompute: run.name === "linear" });
    const accumulation = run.settings.gradient_accumulation_steps;
    const results = [];
    for (let i = 0; i < batches.length; i += accumulation) {
      results.push(await step.run(batches.slice(i, i + accumulation)));
    }

    const losses = results.flatMap((result) => result.losses);
    const relative = (ours: number, theirs: number) => Math.abs(ours - theirs) / Math.abs(theirs);
    const offLosses = [
      ...run.losses_laion.map((loss, i) => relative(losses[i]!.laion!, loss)),
      ...run.losses_mmc4.map((loss, i) => relative(losses[i]!.mmc4!, loss)),
    ];
    const norms = results.flatMap(({ gradientNorms }) => gradientNorms);
    const offNorms = run.grad_norm_before_clip.map((norm, i) => relative(norms[i]!, norm));
    const note = (what: string, all: readonly number[], bound: number) => {
      const largest = Math.max(...all);
      const of = { cases: 1, values: all.length, largest, bound, backend: model.backend };
      compared(`training/${what}/${run.name}`, { ...of, unit: "relative" });
      expect(largest, what).toBeLessThan(bound);
    };
    note("losses", offLosses, 1e-5);
    note("gradient norms", offNorms, 1e-4);
    for (const [i, [rate]] of run.lr_of_step.entries())
      expect(results[i]!.learningRate).toBeCloseTo(rate, 15);
    expect(step.state.step).toBe(run.updates_after_batch.length);

    const golden = await model.goldenTensors("training/parameters-after.safetensors");
    const { embedding, trainable_parameters: names } = trainingOf(model);
    const off: number[] = [];
    for (const each of step.state.trained.tensors) {
      const isEmbedding = each.name === embedding.name;
      const name = isEmbedding ? `${each.name}.rows_endofchunk_image` : each.name;
      const theirs = golden.get(`${run.name}.${name}`)!.data;
      const ours = viewOf(step.state.parameters, each);
      // A file of samples; of the samples of some runs every eighth.
      const samples = isEmbedding ? ours : sampled(ours);
      const every = samples.length === theirs.length ? 1 : 8;
      theirs.forEach((value, i) => {
        off.push(Math.abs(samples[i * every]! - value));
      });
    }
    expect(step.state.trained.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
    off.sort((a, b) => a - b);
    const most = off[Math.floor(0.999 * off.length)]!;
    const of = { cases: 1, values: off.length, backend: model.backend };
    compared(`training/parameters/${run.name}, 99.9%`, { ...of, largest: most, bound: 2e-5 });
    compared(`training/parameters/${run.name}, all`, {
      ...of,
      largest: off.at(-1)!,
      bound: run.settings.learning_rate,
    });
    expect(most).toBeLessThan(2e-5);
    expect(off.at(-1)).toBeLessThan(run.settings.learning_rate);
    await step.close();
  },
);

/** Whether two arrays hold the same bits; for large ones many times as fast as `toEqual`. */
const isSame = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));

describe.each(nineB)("a step of $name", (model) => {
  const open = async (options: Partial<StepOptions> = {}) => {
    const runtime = await model.openRuntime();
    const step = await openStep(model, runtime, options);
    return {
      step,
      async close() {
        await step.close();
        await runtime.close();
      },
    };
  };

  /** One that changes nothing, for all tests that need no other. */
  let still: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    still = await open({ learningRate: 0, weightDecay: 0, accumulation: 2 });
  });
  afterAll(() => still.close());

  test("learns from pairs alone and from documents alone, and from tokens that were kept as from pixels", async () => {
    const { step } = still;
    const [batch] = await goldenBatches(model);
    const { laion, mmc4 } = batch!;
    const both = await step.run(batch!);
    const pairs = await step.run({ laion });
    const documents = await step.run({ mmc4 });
    expect(pairs.losses).toEqual([{ laion: both.losses[0]!.laion }]);
    expect(documents.losses).toEqual([{ mmc4: both.losses[0]!.mmc4 }]);
    const tokens = await step.encodeImages(mmc4.images.pixels!);
    const kept = await step.run({ mmc4: { ...mmc4, images: { tokens } } });
    expect([kept.losses, kept.gradientNorms]).toEqual([documents.losses, documents.gradientNorms]);
  });

  test("does not see what rows are filled up with", async () => {
    const { step } = still;
    const { mmc4 } = (await goldenBatches(model))[0]!;
    const [b, t] = mmc4.shape;
    const wide = (values: Int32Array, filling: number) => {
      const all = new Int32Array(b * (t + 8)).fill(filling);
      for (let row = 0; row < b; row++) all.set(values.subarray(row * t, (row + 1) * t), row * (t + 8));
      return all;
    };
    const filled = {
      ...mmc4,
      shape: [b, t + 8] as const,
      ids: wide(mmc4.ids, model.ids.pad),
      attentionMask: wide(mmc4.attentionMask, 0),
      labels: wide(mmc4.labels, -100),
    };
    const [plain, more] = [await step.run({ mmc4 }), await step.run({ mmc4: filled })];
    expect([more.losses, more.gradientNorms]).toEqual([plain.losses, plain.gradientNorms]);
  });

  test("is the same from the same state, bit for bit, and clips several batches once", async () => {
    const batches = (await goldenBatches(model)).slice(0, 3);
    const first = await open({ accumulation: 2 });
    const results = [await first.step.run(batches[0]!)];
    const { parameters, firstMoments, secondMoments, ...rest } = first.step.state;
    const state = {
      ...rest,
      parameters: parameters.slice(),
      firstMoments: firstMoments.slice(),
      secondMoments: secondMoments.slice(),
    };
    results.push(await first.step.run(batches.slice(1)));
    expect(results.map(({ gradientNorms }) => gradientNorms.length)).toEqual([1, 1]);
    const second = await open({ accumulation: 2, state });
    const again = await second.step.run(batches.slice(1));
    expect({ ...again, seconds: 0 }).toEqual({ ...results[1], seconds: 0 });
    for (const array of ["parameters", "firstMoments", "secondMoments"] as const) {
      expect(isSame(second.step.state[array], first.step.state[array]), array).toBe(true);
    }
    expect(second.step.state.step).toBe(2);
    await first.close();
    await second.close();
  });

  test("goes through frozen matrices in 8 bits, of which only those of the embedding's rows are trained", async () => {
    const { step, close } = await open({
      formatOf: formatsOf("int8", { block: 32, exact: true })!,
      recompute: true,
    });
    const [batch] = await goldenBatches(model);
    const { losses, gradientNorms } = await step.run(batch!);
    const { losses_of_the_four_batches_at_the_start: exact, gradient_norm_before_clip: norm } =
      trainingOf(model);
    expect(losses[0]!.laion).toBeCloseTo(exact.laion[0]!, 1);
    expect(losses[0]!.laion).not.toBeCloseTo(exact.laion[0]!, 5);
    expect(Math.abs(gradientNorms[0]! / norm - 1)).toBeLessThan(0.05);
    await close();
  });

  test("with a loss that is not a number is rejected and changes nothing; as published its gradients are dropped", async () => {
    const [batch, other] = await goldenBatches(model);
    const pixels = new Float32Array(batch!.mmc4.images.pixels!.length).fill(Number.NaN);
    const broken = { laion: batch!.laion, mmc4: { ...batch!.mmc4, images: { pixels } } };
    const { step } = still;
    const before = step.state.parameters.slice();
    const steps = step.state.step;
    await expect(step.run([other!, broken])).rejects.toMatchObject({
      code: "loss-not-finite",
      message: expect.stringContaining("the loss of mmc4 in batch 1"),
      data: { batch: 1 },
    });
    expect(isSame(step.state.parameters, before)).toBe(true);
    expect(step.state.step).toBe(steps);

    const published = await open({ published: asPublished, lossWeights: { laion: 1e38 } });
    const result = await published.step.run(broken);
    expect([result.updated, result.losses[0]!.mmc4, published.step.state.step]).toEqual([
      false,
      Number.NaN,
      0,
    ]);
    await expect(published.step.run({ laion: batch!.laion })).rejects.toMatchObject({
      code: "loss-not-finite",
      message: expect.stringContaining("the gradients"),
    });
    expect(isSame(published.step.state.parameters, before)).toBe(true);
    await published.close();
  });

  test("rejects what is no step, one beside another, and one that was stopped", async () => {
    const { step } = still;
    const steps = step.state.step;
    const [batch] = await goldenBatches(model);
    const none: TrainingBatches = {};
    await expect(step.run(none)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("no batch"),
    });
    await expect(step.run([])).rejects.toMatchObject({ message: expect.stringContaining("0 batches") });
    await expect(step.run([batch!, batch!, batch!])).rejects.toThrow(OpenFlamingoError);
    const running = step.run(batch!);
    await expect(step.run(batch!)).rejects.toMatchObject({ message: expect.stringContaining("another") });
    await running;
    const stopped = AbortSignal.abort(new Error("enough"));
    await expect(step.run(batch!, { signal: stopped })).rejects.toThrow("enough");
    expect(step.state.step).toBe(steps + 1);
  });

  test("rejects settings that are impossible, and the state of another model", async () => {
    await using runtime = await model.openRuntime();
    const fails = (options: Partial<StepOptions>) =>
      openStep(model, runtime, options).catch((error) => error);
    expect(await fails({ learningRate: -1 })).toMatchObject({
      code: "usage",
      message: expect.stringContaining("-1"),
    });
    expect(await fails({ accumulation: 1.5 })).toMatchObject({ message: expect.stringContaining("1.5") });
    const step = await openStep(model, runtime, { embeddingRows: undefined });
    expect(step.state.trained.tensors.map(({ name }) => name)).not.toContain(
      trainingOf(model).embedding.name,
    );
    expect(await fails({ state: step.state })).toMatchObject({
      code: "checkpoint-mismatch",
      message: expect.stringContaining("rows 515,516"),
    });
    await step.close();
  });
});
