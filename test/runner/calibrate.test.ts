/** Calibration runs: the strength of columns is that of the texts, and weights are the more exact where it counts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { elementCount } from "../../src/base/dtypes.js";
import { randomStream } from "../../src/base/random.js";
import { type CalibrationSample, calibrate } from "../../src/runner/calibrate.js";
import { programsOf } from "../../src/runner/modelRunner.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { quantizeMatrix, rowOfBlocks } from "../../src/weights/quantize.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { config, imageToken } from "./smallModel.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

const uses = programsOf(config).flatMap((program) => program.weights);

function randomWeights(): Map<string, HostTensor<"float32">> {
  return new Map(
    uses.map(({ name, shape }) => {
      const random = randomStream(1, name);
      const scale = shape.length === 1 ? 0 : 0.1;
      const offset = shape.length === 1 && name.endsWith("weight") ? 1 : 0;
      const data = Float32Array.from({ length: elementCount(shape) }, (_, i) => {
        return offset + scale * random.normal(i);
      });
      return [name, { dtype: "float32", shape, data }];
    }),
  );
}

/** A text of a few words after an image. */
const sample = (seed: number): CalibrationSample => ({
  images: [Float32Array.from({ length: 3 * 8 * 8 }, (_, i) => Math.sin(seed + i))],
  ids: [imageToken, ...Array.from({ length: 5 + seed }, (_, i) => (7 * seed + 3 * i) % 80)],
});

const searched = formatsOf("int4");
const run = (samples: readonly CalibrationSample[], weights = randomWeights()) =>
  calibrate(undefined, samples, { runtime, config, imageToken, weights, searched });

const embedding = "lang_encoder.transformer.wte.weight";
const firstProduct = "lang_encoder.transformer.blocks.0.attn.Wqkv.weight";

test("of every matrix in 4 bits, and of no other: the mean square of each column, 1 on average", async () => {
  const importance = await run([sample(1)]);
  const inFourBits = new Set(
    uses.flatMap(({ tensor, from }) => {
      const format = from.length === 2 ? searched!(tensor, from as [number, number]) : undefined;
      return format?.bits === 4 ? [tensor] : [];
    }),
  );
  expect(inFourBits.size).toBeGreaterThan(15);
  expect(new Set(importance.keys())).toEqual(inFourBits);
  for (const columns of importance.values()) {
    const mean = columns.reduce((sum, each) => sum + each, 0) / columns.length;
    expect(mean).toBeCloseTo(1, 5);
    expect(Math.min(...columns)).toBeGreaterThanOrEqual(0);
  }
});

test("the first block's are those of the normalised embeddings of all tokens", async () => {
  const samples = [sample(1), sample(2)];
  const weights = randomWeights();
  const found = (await run(samples, weights)).get(firstProduct)!;
  const { hiddenSize: k } = config.language;
  const sums = new Float64Array(k);
  for (const id of samples.flatMap(({ ids }) => ids)) {
    const row = weights.get(embedding)!.data.subarray(id * k, (id + 1) * k);
    const mean = row.reduce((sum, x) => sum + x, 0) / k;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / k;
    row.forEach((x, column) => {
      sums[column]! += (x - mean) ** 2 / (variance + 1e-5);
    });
  }
  const all = sums.reduce((sum, each) => sum + each, 0);
  found.forEach((each, column) => {
    expect(each).toBeCloseTo((k * sums[column]!) / all, 4);
  });
});

test("every token counts in the output layer too, and samples add up", async () => {
  const [one, two, both] = await Promise.all([
    run([sample(1)]),
    run([sample(2)]),
    run([sample(1), sample(2)]),
  ]);
  const tokens = [1, 2].map((seed) => sample(seed).ids.length);
  // After the last norm every token has the same sum of squares, but for its epsilon.
  both.get(embedding)!.forEach((each, column) => {
    const mixed =
      (tokens[0]! * one.get(embedding)![column]! + tokens[1]! * two.get(embedding)![column]!) / 15;
    expect(each).toBeCloseTo(mixed, 3);
  });
  expect(tokens[0]! + tokens[1]!).toBe(15);
});

test("a matrix that is multiplied with zeros alone has none, and one with what is too large is an error", async () => {
  const norm = "lang_encoder.transformer.blocks.1.norm_2.weight";
  const product = "lang_encoder.transformer.blocks.1.ffn.up_proj.weight";
  const weights = randomWeights();
  expect(weights.has(norm)).toBe(true);
  weights.get(norm)!.data.fill(0);
  const without = await run([sample(1)], weights);
  expect(without.has(product)).toBe(false);
  expect(without.has(firstProduct)).toBe(true);
  weights.get(norm)!.data.fill(1e25);
  await expect(run([sample(1)], weights)).rejects.toMatchObject({
    code: "logits-not-finite",
    message: expect.stringMatching(/the columns that \S+ is multiplied with have no finite squares/),
    hint: expect.any(String),
  });
});

test("products with outlying columns become more exact, the others hardly less", async () => {
  const [n, k, tokens] = [64, 256, 200];
  const format = { bits: 4, block: 128 } as const;
  const random = randomStream(3, "outlying");
  const w = Float32Array.from({ length: n * k }, (_, i) => random.normal(i));
  const strong = new Set([17, 140, 250]);
  const x = Array.from({ length: tokens }, (_, t) =>
    Float64Array.from({ length: k }, (_, j) => (strong.has(j) ? 20 : 1) * random.normal(n * k + t * k + j)),
  );
  const importance = Float32Array.from({ length: k }, (_, j) => {
    return x.reduce((sum, row) => sum + row[j]! ** 2, 0) / tokens;
  });
  const errorOf = async (given: Float32Array | undefined, rows: typeof x) => {
    const blocks = await quantizeMatrix(w, [n, k], format, { importance: given });
    let [off, size] = [0, 0];
    for (let i = 0; i < n; i++) {
      const q = rowOfBlocks(blocks, i, k, format);
      for (const row of rows) {
        const [exact, found] = row.reduce(
          ([exact, found], each, j) => [exact + each * w[i * k + j]!, found + each * q[j]!],
          [0, 0] as [number, number],
        );
        off += (exact - found) ** 2;
        size += exact ** 2;
      }
    }
    return Math.sqrt(off / size);
  };
  const plain = x.map((row) => row.map((each, j) => (strong.has(j) ? each / 20 : each)));
  const [before, after] = [await errorOf(undefined, x), await errorOf(importance, x)];
  const [beforePlain, afterPlain] = [await errorOf(undefined, plain), await errorOf(importance, plain)];
  console.log(
    `outlying columns: ${before.toFixed(3)} → ${after.toFixed(3)}; without: ${beforePlain.toFixed(3)} → ${afterPlain.toFixed(3)}`,
  );
  expect(after).toBeLessThan(0.7 * before);
  expect(afterPlain).toBeLessThan(1.15 * beforePlain);
});
