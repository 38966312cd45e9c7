/** Connectors begin as the way from patches to words that the image encoder's training found. */
import { expect, test } from "vitest";
import { aidName } from "../../../../recipes/tiny/towers/clipGraph.js";
import { connectorsStart } from "../../../../recipes/tiny/towers/connectorsStart.js";
import { bundledModel } from "../../../../src/api/bundledModel.node.js";
import { readConfigs } from "../../../../src/api/configs.js";
import { node } from "../../../../src/api/platform.node.js";
import { readModelFolder } from "../../../../src/checkpoints/modelFolder.node.js";
import { initialValues } from "../../../../src/learn/initialValues.js";

const folder = bundledModel();
const { config } = await readConfigs(node, await readModelFolder(folder, undefined), undefined);
const [d, w] = [config.vision.hiddenSize, config.language.hiddenSize];
const data = Float32Array.from({ length: w * d }, (_, i) => Math.sin(i));
const norm = Float32Array.from({ length: d }, (_, i) => 1 + i / d);
const aids = new Map([
  [`${aidName}.patches.weight`, { shape: [w, d], data }],
  [`${aidName}.ln_patches.weight`, { shape: [d], data: norm }],
]);

test("values and what comes out of them are the tokens in the resampler, and words in the last gated block", async () => {
  const start = await connectorsStart(config, aids, 1);
  const mapOf = (attention: string) => {
    const [toKv, toOut] = ["to_kv", "to_out"].map((each) => start.get(`${attention}.${each}.weight`)!);
    const [n, inner] = toOut!.shape as [number, number];
    return Float64Array.from({ length: n * d }, (_, i) => {
      let sum = 0;
      for (let r = 0; r < inner; r++) {
        sum += toOut!.data[Math.floor(i / d) * inner + r]! * toKv!.data[(inner + r) * d + (i % d)]!;
      }
      return sum;
    });
  };
  const expectMap = (attention: string, expected: (i: number) => number) => {
    const found = mapOf(attention);
    const furthest = Math.max(...found.map((value, i) => Math.abs(value - expected(i))));
    expect(furthest, attention).toBeLessThan(1e-5);
  };
  for (let i = 0; i < config.perceiver.depth; i++) {
    expectMap(`perceiver.layers.${i}.0`, (at) => (Math.floor(at / d) === at % d ? 1 : 0));
    expect(start.get(`perceiver.layers.${i}.1.3.weight`)!.data.every((value) => value === 0)).toBe(true);
  }
  const gated = [...start.keys()].filter(
    (name) => name.endsWith("attn.to_out.weight") && name.includes("gated"),
  );
  expect(gated.length).toBeGreaterThan(1);
  expectMap(gated.at(-1)!.replace(".to_out.weight", ""), (at) => 3 * data[at]! * norm[at % d]!);
});

test("what else there is begins as it does from scratch, and one gate is open", async () => {
  const start = await connectorsStart(config, aids, 1);
  const first = [...start.keys()].find((name) => name.endsWith("gated_cross_attn_layer.attn.to_out.weight"))!;
  for (const name of [first, "perceiver.layers.0.0.to_q.weight", "perceiver.norm.weight"]) {
    const { shape, data: found } = start.get(name)!;
    expect(found, name).toEqual(initialValues(name, shape, 1));
  }
  const open = [...start].filter(([name, { data: values }]) => name.endsWith("_gate") && values[0] !== 0);
  expect(open.map(([name, { data: values }]) => [name.split(".").at(-1), values[0]])).toEqual([
    ["attn_gate", 0.5],
  ]);
});
