/**
 * Gradients of the step's own program beside the reference implementation's, on both backends:
 * goldens/README.md, `golden/training`.
 */
import { describe, expect, test } from "vitest";
import { feedsOf } from "../../src/learn/batch.js";
import { openPrograms, type ProgramOptions } from "../../src/learn/programs.js";
import { viewOf } from "../../src/learn/trainedTensors.js";
import type { CheckpointFiles } from "../../src/weights/loadWeights.js";
import { hasGolden } from "../goldens.js";
import { compared } from "../parity.js";
import { isSlowAsked } from "../slow.js";
import { type GoldenModel, largestDifference, onBackends, tinyModelsWith } from "../tinyModel.js";
import { goldenBatches, sampled, trainingOf } from "./goldenTraining.js";

/** Losses of batch 0 and the gradients of both together. */
async function learnWith(model: GoldenModel, options: Partial<ProgramOptions>) {
  const { config, checkpoints, close } = await model.model();
  await using runtime = await model.openRuntime();
  const programs = await openPrograms({
    ...{ runtime, config, checkpoints: checkpoints as CheckpointFiles },
    embeddingRows: trainingOf(model).embedding.rows_with_gradient_after_mask,
    ...options,
  });
  await close();
  const [batch] = await goldenBatches(model);
  const given = { imageToken: model.ids.image, vocabulary: model.ids.size, vision: config.vision };
  const losses: number[] = [];
  for (const half of [batch!.laion, batch!.mmc4]) {
    losses.push(await programs.learn(feedsOf(half, given), half.images, 1));
  }
  await programs.close();
  const { tensors } = programs.state.trained;
  return {
    losses,
    gradients: new Map(tensors.map((each) => [each.name, viewOf(programs.gradients, each)] as const)),
    all: programs.gradients,
  };
}

const plain = new Map<string, ReturnType<typeof learnWith>>();
/** The same, once for each model on a backend where nothing is special. */
function learn(model: GoldenModel, options: Partial<ProgramOptions>): ReturnType<typeof learnWith> {
  const key = `${model.name} ${model.backend}`;
  const known = plain.get(key);
  if (Object.keys(options).length > 0) return learnWith(model, options);
  const learnt = known ?? learnWith(model, options);
  plain.set(key, learnt);
  return learnt;
}

const onBoth = onBackends(tinyModelsWith("training/training.json", "gradients"));
describe.each(onBoth.filter(({ name }) => isSlowAsked || name === "tiny-openflamingo-9b"))(
  "$name on $backend",
  (model) => {
    const { backend } = model;
    test("every gradient is the reference implementation's, relative to the largest value of each", async () => {
      const { losses, gradients } = await learn(model, {});
      const { losses_of_the_four_batches_at_the_start: starts, embedding } = trainingOf(model);
      [starts.laion[0]!, starts.mmc4[0]!].forEach((loss, i) => {
        expect(Math.abs(losses[i]! - loss)).toBeLessThan(1e-5);
      });
      const isWhole = hasGolden(`${model.name}/golden/training/gradients.safetensors`);
      const golden = await model.goldenTensors(`training/gradients${isWhole ? "" : "-sampled"}.safetensors`);
      expect([...gradients.keys()].sort()).toEqual([...golden.keys()].sort());
      for (const [name, ours] of gradients) {
        const { data, shape } = golden.get(name)!;
        let [theirs, mine] = [data, isWhole ? ours : sampled(ours)];
        if (name === embedding.name) {
          if (!isWhole) continue; // samples of all rows, few of them of those that are trained
          const width = shape[1]!;
          const rows = embedding.rows_with_gradient_after_mask;
          theirs = Float32Array.from(
            rows.flatMap((row) => [...data.subarray(row * width, (row + 1) * width)]),
          );
          mine = ours;
        }
        const most = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const largest = largestDifference(mine, theirs) / most;
        const of = { largest, bound: 1e-4, unit: "relative", backend } as const;
        compared(`training/gradients/${model.name}`, { cases: 1, values: theirs.length, ...of });
        expect(largest, name).toBeLessThan(1e-4);
      }
    });
  },
);

const models = tinyModelsWith("training/training.json", "gradients in mixed precision");
describe.each(models)("$name", (model) => {
  test("has the same gradients where blocks are computed again for them", async () => {
    const [kept, again] = [await learn(model, {}), await learn(model, { recompute: true })];
    for (const [name, gradient] of kept.gradients) {
      const most = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // The backend joins other instructions, where some have one reader more.
      expect(largestDifference(again.gradients.get(name)!, gradient) / most, name).toBeLessThan(2e-5);
    }
    expect(Math.max(...again.losses.map((loss, i) => Math.abs(loss - kept.losses[i]!)))).toBeLessThan(2e-6);
  });

  test("in amp_bf16 is as near to float32 as under torch's autocast", async () => {
    const [exact, rounded] = [await learn(model, {}), await learn(model, { precision: "amp_bf16" })];
    const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const cosines = [...exact.gradients].map(([name, a]) => {
      const b = rounded.gradients.get(name)!;
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    });
    const moved = rounded.losses.map((loss, i) => Math.abs(loss - exact.losses[i]!));
    const norm = Math.sqrt(dot(rounded.all, rounded.all) / dot(exact.all, exact.all));
    const note = (what: string, largest: number, bound: number) => {
      const of = { cases: 1, values: 1, largest, bound, backend: model.backend };
      compared(`training/amp_bf16 beside fp32, ${what}/${model.name}`, of);
      expect(largest, what).toBeLessThan(bound);
    };
    // goldens/README.md, "Tolerances": the most that they moved by in any of the models.
    note("loss", Math.max(...moved), 0.007);
    note("norm of gradients", Math.abs(norm - 1), 0.005);
    note("1 − cosine of a gradient", 1 - Math.min(...cosines), 0.001);
    expect(Math.min(...moved), "nothing is rounded").toBeGreaterThan(1e-4);
  });
});
