/** Connectors begin as two ways from images to words that are known before. */
import { expect, test } from "vitest";
import { connectorsStart } from "../../../../recipes/tiny/towers/connectorsStart.js";
import { standardized } from "../../../../recipes/tiny/towers/standardized.js";
import { wordlessDirection } from "../../../../recipes/tiny/towers/wordlessDirection.js";
import { bundledModel } from "../../../../src/api/bundledModel.node.js";
import { readConfigs } from "../../../../src/api/configs.js";
import { node } from "../../../../src/api/platform.node.js";
import { randomStream } from "../../../../src/base/random.js";
import { readModelFolder } from "../../../../src/checkpoints/modelFolder.node.js";
import { initialValues } from "../../../../src/learn/initialValues.js";

const folder = bundledModel();
const { config } = await readConfigs(node, await readModelFolder(folder, undefined), undefined);
const [d, w, n] = [config.vision.hiddenSize, config.language.hiddenSize, config.language.vocabulary];
const { normal } = randomStream(1, "words");
const embedding = { shape: [n, w], data: Float32Array.from({ length: n * w }, (_, i) => normal(i)) };
const image = n - 2;
const naming = Float32Array.from({ length: w * d }, (_, i) => Math.sin(i));
const reading = Float32Array.from({ length: w * d }, (_, i) => Math.cos(i));
const start = await connectorsStart(config, { naming, reading, embedding, image }, 1);

const gated = [...start.keys()]
  .filter((name) => name.endsWith("gated_cross_attn_layer.attn_gate"))
  .map((name) => name.replace(/_gate$/, ""));
const of = (name: string) => start.get(name)!.data;
const empty = of("perceiver.latents")
  .slice(0, d)
  .map((value) => value / 500);

test("values and what comes out of them are the tokens in the resampler, and words in two gated blocks", () => {
  const mapOf = (attention: string) => {
    const [toKv, toOut] = ["to_kv", "to_out"].map((each) => start.get(`${attention}.${each}.weight`)!);
    const [rows, inner] = toOut!.shape as [number, number];
    return Float64Array.from({ length: rows * d }, (_, i) => {
      let sum = 0;
      for (let r = 0; r < inner; r++) {
        sum += toOut!.data[Math.floor(i / d) * inner + r]! * toKv!.data[(inner + r) * d + (i % d)]!;
      }
      return sum;
    });
  };
  const expectMap = (attention: string, map: (i: number) => number) => {
    const along = (row: number) => empty.reduce((sum, value, i) => sum + value * map(row * d + i), 0);
    const found = mapOf(attention);
    const furthest = Math.max(
      ...found.map((value, i) => Math.abs(value - map(i) + along(Math.floor(i / d)) * empty[i % d]!)),
    );
    expect(furthest, attention).toBeLessThan(1e-4);
  };
  for (let i = 0; i < config.perceiver.depth; i++) {
    expectMap(`perceiver.layers.${i}.0`, (at) => (Math.floor(at / d) === at % d ? 1 : 0));
    expect(of(`perceiver.layers.${i}.1.3.weight`).every((value) => value === 0)).toBe(true);
  }
  expect(gated.length).toBeGreaterThan(1);
  expectMap(gated.at(-1)!, (at) => 3 * naming[at]!);
  expectMap(gated[0]!, (at) => 3 * reading[at]!);
});

test("in the first gated block all tokens but <image> look at the empty latent", () => {
  const [toQ, toKv] = [of(`${gated[0]}.to_q.weight`), of(`${gated[0]}.to_kv.weight`)];
  const [weight, bias] = [of(`${gated[0]}.norm.weight`), of(`${gated[0]}.norm.bias`)];
  const { heads, headDim } = config.crossAttention;
  const words = start.get(`lang_encoder.${config.language.embedding}`)!.data;
  const product = (matrix: Float32Array, row: number, x: Float32Array) =>
    x.reduce((sum, value, i) => sum + value * matrix[row * x.length + i]!, 0);
  /** How much of a token's attention the empty latent has, of 64, in the head that gives it least. */
  const shareOfEmpty = (token: number) => {
    const x = standardized(words.subarray(token * w, (token + 1) * w)).map(
      (v, i) => v * weight[i]! + bias[i]!,
    );
    const shares = Array.from({ length: heads }, (_, head) => {
      const scores = Array.from({ length: 64 }, (_, latent) => {
        const tokens = standardized(of("perceiver.latents").subarray(latent * d, (latent + 1) * d));
        let score = 0;
        for (let r = head * headDim; r < (head + 1) * headDim; r++) {
          score += product(toQ, r, x) * product(toKv, r, tokens);
        }
        return Math.exp(score / Math.sqrt(headDim));
      });
      return scores[0]! / scores.reduce((sum, each) => sum + each, 0);
    });
    return Math.min(...shares);
  };
  for (const token of [0, 7, 100, n - 1]) expect(shareOfEmpty(token), `token ${token}`).toBeGreaterThan(0.9);
  expect(shareOfEmpty(image)).toBeLessThan(0.01);
});

test("the direction of <image> is one that words have little of", () => {
  const direction = wordlessDirection(embedding, image);
  const most = (some: Float32Array) =>
    Math.max(
      ...Array.from({ length: n }, (_, row) =>
        Math.abs(
          standardized(embedding.data.subarray(row * w, (row + 1) * w)).reduce(
            (sum, value, i) => sum + value * some[i]!,
            0,
          ),
        ),
      ),
    );
  expect(Math.hypot(...direction)).toBeCloseTo(1, 5);
  expect(direction.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 5);
  const other = standardized(Float32Array.from({ length: w }, (_, i) => normal(i, 1)));
  expect(most(direction)).toBeLessThan(most(other.map((value) => value / Math.sqrt(w))));
});

test("what else there is begins as it does from scratch, and two gates are open", () => {
  for (const name of [
    `${gated[1]}.to_out.weight`,
    "perceiver.layers.0.0.to_q.weight",
    "perceiver.norm.weight",
  ]) {
    const { shape, data: found } = start.get(name)!;
    expect(found, name).toEqual(initialValues(name, shape, 1));
  }
  const open = [...start].filter(([name, { data: values }]) => name.endsWith("_gate") && values[0] !== 0);
  expect(open.map(([name, { data: values }]) => [name, values[0]])).toEqual([
    [`${gated[0]}_gate`, 0.5],
    [`${gated.at(-1)}_gate`, 0.5],
  ]);
});
