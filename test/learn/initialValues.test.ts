/** New parameters have the distributions that PyTorch gives the reference implementation's. */
import { expect, test } from "vitest";
import { initialValues } from "../../src/learn/initialValues.js";

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return {
    mean,
    deviation: Math.sqrt(variance),
    largest: values.reduce((m, x) => Math.max(m, Math.abs(x)), 0),
  };
};

test("matrices are uniform within one over the root of their columns", () => {
  const values = initialValues("perceiver.layers.0.0.to_q.weight", [128, 256], 7);
  const { mean, deviation, largest } = moments(values);
  expect(largest).toBeLessThanOrEqual(1 / 16);
  expect(largest).toBeGreaterThan(0.999 / 16);
  expect(Math.abs(mean)).toBeLessThan(0.001);
  expect(deviation).toBeCloseTo(1 / 16 / Math.sqrt(3), 3);
});

test("latents are normal", () => {
  const { mean, deviation } = moments(initialValues("perceiver.latents", [64, 512], 7));
  expect(Math.abs(mean)).toBeLessThan(0.02);
  expect(deviation).toBeCloseTo(1, 1);
});

test.each([
  ["perceiver.norm.weight", [8], 1],
  ["perceiver.norm.bias", [8], 0],
  ["lang_encoder.gated_cross_attn_layers.3.attn_gate", [1], 0],
])("%s", (name, shape, all) => {
  expect([...initialValues(name, shape, 7)]).toEqual(Array(shape[0]).fill(all));
});

test("gates begin with what is asked for, and nothing else does", () => {
  expect([...initialValues("blocks.3.gated_cross_attn_layer.ff_gate", [1], 7, { gate: 0.5 })]).toEqual([0.5]);
  expect([...initialValues("perceiver.norm.bias", [2], 7, { gate: 0.5 })]).toEqual([0, 0]);
});

test("by name and seed, and by nothing else", () => {
  const draw = (name: string, seed: number) => initialValues(name, [4, 4], seed);
  expect(draw("a.weight", 1)).toEqual(draw("a.weight", 1));
  expect(draw("a.weight", 1)).not.toEqual(draw("b.weight", 1));
  expect(draw("a.weight", 1)).not.toEqual(draw("a.weight", 2));
});
