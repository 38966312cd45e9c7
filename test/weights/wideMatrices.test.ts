/** Matrices of 16384 columns are kept as four side by side, and are multiplied with as such. */
import { expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import { inFormat } from "../../src/machine/forecast.js";
import { mpt } from "../../src/models/mpt.js";
import { calibrate } from "../../src/runner/calibrate.js";
import { openModelRunner, programsOf } from "../../src/runner/modelRunner.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { loadWeights } from "../../src/weights/loadWeights.js";
import { formatsOf, type WeightFormat } from "../../src/weights/weightFormats.js";
import { imageToken, config as small } from "../runner/smallModel.js";

/** The feed-forward of the 9B is as wide. */
const language = mpt({
  ...{ layers: 2, hiddenSize: 32, heads: 4, mlpRatio: 512, vocabulary: 100, contextLength: 64 },
  alibiMax: 8,
});
const config = { ...small, language };
const down = "lang_encoder.transformer.blocks.0.ffn.down_proj.weight";
const prompt = { ids: [1, 2, 3, 4, 5], images: [] };

const plain = programsOf(config).map(({ weights }) => weights);

/** Its weights, drawn by name. */
const checkpoint: Checkpoint = {
  name: "random numbers",
  tensors: new Map(plain.flat().map(({ tensor, from }) => [tensor, { dtype: "float32", shape: from }])),
  async read(tensor, into) {
    const random = randomStream(1, tensor);
    const scale = tensor.includes("down_proj") ? 0.02 : 0.2;
    const isNorm = /norm[^.]*\.weight$/.test(tensor);
    for (let i = 0; i < into.length; i++) into[i] = isNorm ? 1 : scale * random.normal(i);
    return true;
  },
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
};
const none = { ...checkpoint, tensors: new Map() };
const files = { vision: none, language: none, flamingo: checkpoint };

async function read(weights: WeightFormat) {
  const programs = programsOf(config, formatsOf(weights));
  const uses = programs.flatMap((program) => program.weights);
  return { programs, uses, weights: await loadWeights(uses, files, language) };
}

async function logitsOf(weights: WeightFormat): Promise<Float32Array> {
  await using runtime = await openOrtFfi();
  const { programs, weights: loaded } = await read(weights);
  await using runner = await openModelRunner({ runtime, config, imageToken, programs, weights: loaded });
  const decoder = await runner.decoder([prompt], { capacity: 0 });
  const [logits] = await decoder.prefill();
  const copy = logits!.slice();
  decoder.close();
  return copy;
}

test("in 4 bits four parts, whose product is that of the matrix but for rounding", async () => {
  const { uses } = await read("int4");
  const parts = new Map(uses.filter(({ tensor }) => tensor === down).map(({ name, shape }) => [name, shape]));
  expect([...parts]).toEqual(
    [0, 4096, 8192, 12288].flatMap((start) => [
      [`${down}:${start}-${start + 4096}:values`, [32, 32, 64]],
      [`${down}:${start}-${start + 4096}:scales`, [32, 32]],
    ]),
  );
  const [exact, found] = [await logitsOf("fp32"), await logitsOf("int8")];
  const size = Math.hypot(...exact);
  expect(Math.hypot(...exact.map((each, i) => each - found[i]!)) / size).toBeLessThan(0.03);
});

test("a forecast knows the same weights by the same names", async () => {
  for (const format of ["int4", "int8"] as const) {
    const { uses } = await read(format);
    const forecast = inFormat(plain, formatsOf(format)).flat();
    const named = new Map(forecast.map(({ name, dtype, shape, part }) => [name, { dtype, shape, part }]));
    const wide = uses.filter(({ tensor }) => tensor.includes("down_proj"));
    expect(wide.length).toBe(16);
    for (const { name, dtype, shape, part } of wide) expect(named.get(name)).toEqual({ dtype, shape, part });
  }
});

test("a calibration run measures all of its columns, whether the model is in few bits or not", async () => {
  await using runtime = await openOrtFfi();
  const samples = [{ images: [], ids: [1, 2, 3, 4] }];
  const searched = formatsOf("int4");
  const importanceIn = async (weights: WeightFormat) => {
    const { weights: loaded } = await read(weights);
    const given = { runtime, config, imageToken, weights: loaded, searched };
    return (await calibrate(formatsOf(weights), samples, given)).get(down)!;
  };
  const [exact, found] = [await importanceIn("fp32"), await importanceIn("int8")];
  expect(exact.length).toBe(16384);
  const size = Math.hypot(...exact);
  expect(Math.hypot(...exact.map((each, i) => each - found[i]!)) / size).toBeLessThan(0.1);
});
