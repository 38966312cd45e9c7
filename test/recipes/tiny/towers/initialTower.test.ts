/** Towers begin as open_clip and MPT begin them; positions as waves; patches as their principal components. */
import { expect, test } from "vitest";
import { clipGraph } from "../../../../recipes/tiny/towers/clipGraph.js";
import { eigen } from "../../../../recipes/tiny/towers/eigen.js";
import { initialClip, initialMpt } from "../../../../recipes/tiny/towers/initialTower.js";
import { principalPatches } from "../../../../recipes/tiny/towers/principalPatches.js";
import { sinusoids, sinusoids2d } from "../../../../recipes/tiny/towers/sinusoids.js";
import { randomStream } from "../../../../src/base/random.js";
import { clip } from "./tinyTowers.js";

const rootMeanSquare = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
const largest = (values: Float32Array) => values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

const config = {
  vision: { ...clip.vision, hiddenSize: 96 },
  text: { ...clip.text, layers: 3, hiddenSize: 64 },
};
const start = initialClip({ seed: 4, config });

// By open_clip's code, for a vision encoder 96 wide and a text tower 64 wide.
test.each([
  ["visual.class_embedding", [96], 96 ** -0.5],
  ["visual.positional_embedding", [65, 96], 96 ** -0.5],
  ["visual.proj", [96, 64], 96 ** -0.5],
  ["visual.conv1.weight", [96, 3, 8, 8], 192 ** -0.5 / Math.sqrt(3)],
  ["visual.transformer.resblocks.0.attn.in_proj_weight", [288, 96], Math.sqrt(6 / 384 / 3)],
  ["visual.transformer.resblocks.0.attn.out_proj.weight", [96, 96], 96 ** -0.5 / Math.sqrt(3)],
  ["visual.transformer.resblocks.0.mlp.c_proj.weight", [96, 384], 384 ** -0.5 / Math.sqrt(3)],
  ["visual.transformer.resblocks.0.mlp.c_fc.bias", [384], 96 ** -0.5 / Math.sqrt(3)],
  ["visual.transformer.resblocks.0.mlp.c_proj.bias", [96], 384 ** -0.5 / Math.sqrt(3)],
  ["token_embedding.weight", [100, 64], 0.02],
  ["positional_embedding", [16, 64], 0.01],
  ["transformer.resblocks.1.attn.in_proj_weight", [192, 64], 64 ** -0.5],
  ["transformer.resblocks.1.attn.out_proj.weight", [64, 64], 64 ** -0.5 * 6 ** -0.5],
  ["transformer.resblocks.1.mlp.c_fc.weight", [256, 64], 128 ** -0.5],
  ["transformer.resblocks.1.mlp.c_proj.weight", [64, 256], 64 ** -0.5 * 6 ** -0.5],
  ["text_projection", [64, 64], 64 ** -0.5],
])("%s has the spread of open_clip's", (name, shape, spread) => {
  const ratio = rootMeanSquare(start(name, shape)) / spread;
  const numbers = shape.reduce((a, b) => a * b);
  expect(Math.abs(ratio - 1)).toBeLessThan(2.5 / Math.sqrt(numbers));
});

test("norms begin with 1 and 0, biases of attention with 0", () => {
  for (const prefix of ["visual.ln_pre", "ln_final", "visual.transformer.resblocks.0.ln_1"]) {
    expect([...start(`${prefix}.weight`, [2])]).toEqual([1, 1]);
    expect([...start(`${prefix}.bias`, [2])]).toEqual([0, 0]);
  }
  expect(largest(start("transformer.resblocks.0.attn.in_proj_bias", [6]))).toBe(0);
  expect(largest(start("visual.transformer.resblocks.0.attn.out_proj.bias", [6]))).toBe(0);
});

test("every parameter has a start of its own, by name and seed", () => {
  const { trained } = clipGraph(clip, { classes: { count: 3, weight: 1 } });
  const other = initialClip({ seed: 5, config });
  for (const { name, shape } of trained.tensors) {
    expect(start(name, shape)).toEqual(start(name, shape));
    if (shape.length > 1) expect(start(name, shape), name).not.toEqual(other(name, shape));
  }
});

test("MPT's matrices have a variance of 2/n, and less where they end in a sum", () => {
  const initial = initialMpt({ seed: 4, layers: 8 });
  const spread = (name: string, shape: readonly number[]) => rootMeanSquare(initial(name, shape));
  expect(spread("transformer.wte.weight", [200, 50])).toBeCloseTo(0.2, 2);
  expect(spread("transformer.blocks.0.attn.Wqkv.weight", [150, 50])).toBeCloseTo(0.2, 2);
  expect(spread("transformer.blocks.0.ffn.down_proj.weight", [50, 200])).toBeCloseTo(0.025, 2);
  expect([...initial("transformer.norm_f.weight", [2])]).toEqual([1, 1]);
});

test("positions begin as waves of the spread asked for, and differ from place to place", () => {
  const waves = initialClip({ seed: 1, config, sinusoidalPositions: { vision: 0.2, text: 0.1 } });
  expect(rootMeanSquare(waves("positional_embedding", [16, 64]))).toBeCloseTo(0.1, 3);
  const ofPatches = waves("visual.positional_embedding", [17, 32]);
  expect(rootMeanSquare(ofPatches.subarray(32))).toBeCloseTo(0.2, 3);
  expect(largest(ofPatches.subarray(0, 32))).toBe(0); // the class token's
  const rows = sinusoids2d([17, 32]);
  const row = (i: number) => rows.subarray(32 * (1 + i), 32 * (2 + i));
  // Half of the numbers are the row's, half the column's.
  expect(row(0).subarray(0, 16)).toEqual(row(3).subarray(0, 16));
  expect(row(0).subarray(16)).toEqual(row(4).subarray(16));
  expect(row(0)).not.toEqual(row(5));
  expect([...sinusoids([2, 4])].map((x) => Number(x.toFixed(4)))).toEqual([
    ...[0, 0, 1, 1],
    ...[0.8415, 0.0001, 0.5403, 1],
  ]);
});

test("patches begin as their principal components, each with a deviation of about 1", () => {
  const [n, k] = [3000, 12];
  const random = randomStream(1, "patches");
  // Loud along one direction, quieter along each of the others.
  const patches = Float32Array.from({ length: n * k }, (_, i) => {
    const row = Math.floor(i / k);
    return 5 * random.normal(row) * Math.sin(1 + (i % k)) + random.normal(i, 1) * (1 + (i % k) / k) + 3;
  });
  const embedding = principalPatches(patches, { k, rows: 14, seed: 1 });
  const project = (row: number) => {
    const values = Float64Array.from({ length: n }, (_, p) => {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += patches[p * k + i]! * embedding[row * k + i]!;
      return sum;
    });
    const mean = values.reduce((sum, x) => sum + x / n, 0);
    return values.map((x) => x - mean);
  };
  const [first, second, last] = [project(0), project(1), project(11)];
  const product = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + (x * b[i]!) / n, 0);
  for (const each of [first, second, last]) expect(product(each, each)).toBeCloseTo(1, 0);
  expect(Math.abs(product(first, second))).toBeLessThan(1e-3);
  expect(largest(embedding.subarray(12 * k))).toBeLessThanOrEqual(k ** -0.5);
  const { values } = eigen(Float64Array.of(2, 1, 1, 2), 2);
  expect([...values].sort().map((x) => Number(x.toFixed(9)))).toEqual([1, 3]);
});
