/** What is trained, what of it decays, and where it lies. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hasWeightDecay, isTrained, placeTensors, viewOf } from "../../src/learn/trainedTensors.js";
import { golden, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { tinyModelsWith } from "../tinyModel.js";
import { trainingOf } from "./goldenTraining.js";

type Named = readonly (readonly [name: string, shape: readonly number[]])[];

goldenTest(
  "data/param_groups.json",
  "tensors with and without weight decay are the reference implementation's",
  () => {
    const { models } = JSON.parse(readFileSync(golden("data/param_groups.json"), "utf8")) as {
      readonly models: readonly { readonly with_weight_decay: Named; readonly without_weight_decay: Named }[];
    };
    for (const { with_weight_decay: decaying, without_weight_decay: others } of models) {
      const all = [...others, ...decaying].map(([name, shape]) => ({ name, shape }));
      const { tensors, withoutDecay } = placeTensors(all);
      const names = (of: Named) => of.map(([name]) => name);
      expect(tensors.filter(({ offset }) => offset < withoutDecay).map(({ name }) => name)).toEqual(
        names(decaying),
      );
      expect(tensors.filter(({ offset }) => offset >= withoutDecay).map(({ name }) => name)).toEqual(
        names(others),
      );
      // The embedding is the only tensor of the language model's own, of which rows are trained.
      const untrained = names([...decaying, ...others]).filter((name) => !isTrained(name));
      expect(untrained.every((name) => /wte|embed/.test(name) && !hasWeightDecay(name))).toBe(true);
      compared("training/groups of weight decay", { cases: 1, values: all.length });
    }
  },
);

test.each(tinyModelsWith("training/training.json", "groups"))("those of $name are", (model) => {
  const { trainable_parameters: names, parameters_with_weight_decay: decaying } = trainingOf(model);
  expect(names.filter(hasWeightDecay).sort()).toEqual([...decaying].sort());
});

test("tensors lie apart, each at a multiple of 64 bytes", () => {
  const { tensors, withoutDecay, length } = placeTensors([
    { name: "perceiver.latents", shape: [3, 7] },
    { name: "a.gated_cross_attn_layer.attn_gate", shape: [1] },
  ]);
  expect(tensors.map(({ name, offset }) => [name, offset])).toEqual([
    ["a.gated_cross_attn_layer.attn_gate", 0],
    ["perceiver.latents", 16],
  ]);
  expect([withoutDecay, length]).toEqual([16, 48]);
  const flat = Float32Array.from({ length }, (_, i) => i);
  expect(viewOf(flat, tensors[0]!)).toEqual(Float32Array.of(0));
  expect(viewOf(flat, tensors[1]!).length).toBe(21);
});
