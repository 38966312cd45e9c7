/** Files that OpenFlamingo (Python) resumes from. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import type { TorchValue } from "../../src/checkpoints/torch/writePickle.js";
import {
  inOrder,
  type TorchTraining,
  trainedPart,
  trainingCheckpoint,
} from "../../src/runs/torchCheckpoint.js";
import { torchFiles } from "../../src/runs/torchFiles.node.js";
import { folderOf, read } from "../checkpoints/fixtures.js";
import { golden, goldenTest } from "../goldens.js";

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];
interface Groups {
  readonly lm: string;
  readonly with_weight_decay: Shapes;
  readonly without_weight_decay: Shapes;
  readonly checkpoint_keys: readonly string[];
}
const file = "data/param_groups.json";
const readModels = () =>
  (JSON.parse(readFileSync(golden(file), "utf8")) as { models: readonly Groups[] }).models;

const tensorOf = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
/** The trained parameters, mixed up. */
const mixed = (names: readonly string[]) => new Map([...names].sort().map((name, i) => [name, tensorOf(i)]));
const namesOf = (shapes: Shapes) => shapes.map(([name]) => name);

goldenTest(file, "parameters are in the order of the reference implementation's groups", () => {
  const models = readModels();
  expect(models.length).toBeGreaterThan(3);
  for (const model of models) {
    const [decayed, others] = [namesOf(model.with_weight_decay), namesOf(model.without_weight_decay)];
    const ordered = inOrder(mixed([...decayed, ...others])).map(([name]) => name);
    expect(ordered.filter((name) => name.includes("gated_cross_attn"))).toEqual(decayed);
    expect(ordered.filter((name) => !name.includes("gated_cross_attn"))).toEqual(others);
    // The state dict's own order, of what is trained.
    expect(ordered).toEqual(model.checkpoint_keys.filter((key) => ordered.includes(key)));
  }
});

const at = (value: TorchValue, ...keys: readonly (string | number)[]): unknown =>
  keys.reduce<unknown>(
    (inner, key) =>
      inner instanceof Map ? inner.get(key) : (inner as Record<string | number, unknown>)[key],
    value,
  );

test("a training checkpoint numbers parameters group by group, with the state of each", () => {
  const gated = "lang_encoder.transformer.blocks.1.gated_cross_attn_layer";
  const decayed = ["attn_gate", "attn.norm.weight", "attn.to_kv.weight", "ff.1.weight"].map(
    (name) => `${gated}.${name}`,
  );
  const others = ["perceiver.latents", "perceiver.norm.bias", "lang_encoder.transformer.wte.weight"];
  const parameters = mixed([...decayed, ...others]);
  const moments = (scale: number) =>
    new Map([...parameters].map(([name, { data }]) => [name, tensorOf(scale * data[0]!)]));
  const value = trainingCheckpoint({
    ...{ epoch: 3, parameters, expAvg: moments(10), expAvgSq: moments(100), steps: 7 },
    ...{ learningRate: { initial: 1e-4, now: 5e-5 }, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 },
  });
  expect(at(value, "epoch")).toBe(3);
  expect(at(value, "optimizer_state_dict", "param_groups", 0, "params")).toEqual(decayed.map((_, i) => i));
  expect(at(value, "optimizer_state_dict", "param_groups", 1, "params")).toEqual(
    others.map((_, i) => decayed.length + i),
  );
  expect(at(value, "optimizer_state_dict", "param_groups", 0, "weight_decay", "float")).toBe(0.1);
  expect(at(value, "optimizer_state_dict", "param_groups", 1, "weight_decay", "float")).toBe(0);
  [...decayed, ...others].forEach((name, i) => {
    const [own] = parameters.get(name)!.data;
    const state = at(value, "optimizer_state_dict", "state", i) as TorchValue;
    expect(at(state, "exp_avg", "tensor", "data", 0)).toBe(10 * own!);
    expect(at(state, "exp_avg_sq", "tensor", "data", 0)).toBe(100 * own!);
    expect(at(state, "step", "tensor", "data", 0)).toBe(7);
    expect(at(value, "model_state_dict", "orderedDict", `module.${name}`, "tensor", "data", 0)).toBe(own);
  });
  expect(at(value, "lr_scheduler_state_dict", "last_epoch")).toBe(7);
  expect(at(value, "lr_scheduler_state_dict", "_last_lr", 1, "float")).toBe(5e-5);
});

test("the bare form has the names alone", () => {
  const value = trainedPart(mixed(["perceiver.norm.bias", "perceiver.latents"]));
  expect([...(at(value, "orderedDict") as Map<string, unknown>).keys()]).toEqual([
    "perceiver.latents",
    "perceiver.norm.bias",
  ]);
});

test("a run's checkpoint can hold either form, which our own reader reads", async () => {
  const parameters = mixed([
    "perceiver.latents",
    "lang_encoder.transformer.blocks.1.gated_cross_attn_layer.ff_gate",
  ]);
  const training: TorchTraining = {
    ...{ epoch: 4, parameters, expAvg: parameters, expAvgSq: parameters, steps: 7 },
    ...{ learningRate: { initial: 1, now: 1 }, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 },
  };
  expect([...torchFiles("none", training)]).toEqual([]);
  for (const [what, name] of [
    ["model", "checkpoint.pt"],
    ["training", "checkpoint_4.pt"],
  ] as const) {
    const [[file, bytes], ...others] = [...torchFiles(what, training)] as [
      [string, () => Iterable<Uint8Array>],
    ];
    expect([file, others]).toEqual([name, []]);
    const path = join(folderOf({ [file]: Buffer.concat([...bytes()]) }), file);
    const checkpoint = await openCheckpoint(path);
    expect([...checkpoint.tensors.keys()]).toEqual(inOrder(parameters).map(([name]) => name));
    expect(await read(checkpoint, "perceiver.latents")).toEqual([
      ...parameters.get("perceiver.latents")!.data,
    ]);
    await checkpoint.close();
  }
});
