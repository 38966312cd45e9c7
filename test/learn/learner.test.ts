/** A program that learns, at work: any loss, any trained inputs, other outputs, and other programs over the same numbers. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGraph, input, linear, mul, output, reshape, sum } from "../../src/graph/index.js";
import { addGradients, trainedParameters } from "../../src/learn/gradients.js";
import { openLearner } from "../../src/learn/learner.js";
import { emptyState, takeParameters } from "../../src/learn/state.js";
import { placeTensors, viewOf } from "../../src/learn/trainedTensors.js";
import { compile } from "../../src/onnx/compile.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

/** y = x wᵀ + bias of two numbers, the loss Σ y². */
function program() {
  const graph = createGraph("line");
  const { p, named } = trainedParameters(graph);
  const x = input(graph, "x", "float32", ["b", 2]);
  const y = linear(x, p.tensor("w", [1, 2]), p.tensor("bias", [1])); // (b, 1)
  output(graph, "loss", reshape(sum(mul(y, y), { axes: [0, 1] }), { shape: [1] }));
  output(graph, "y", y);
  const given = [...named].map(([name, shape]) => ({ name, shape }));
  const trained = placeTensors(given, ({ name }) => name === "w");
  addGradients(graph, trained);
  return { graph, trained };
}

const never = (name: string): never => {
  throw new Error(name);
};

test("gradients add up in place, and outputs that are wanted are given", async () => {
  const { graph, trained } = program();
  expect([...graph.outputs.keys()].slice(-2)).toEqual(["loss", "y"]);
  expect(trained.tensors.map(({ name }) => name)).toEqual(["w", "bias"]);
  expect(trained.withoutDecay).toBe(trained.tensors[1]!.offset);
  const state = emptyState(trained);
  takeParameters(state, "w", Float32Array.of(2, -1));
  takeParameters(state, "bias", Float32Array.of(0.5));
  const learner = await openLearner(runtime, compile(graph).with(never), state, { threads: 1 });
  const x = { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 0) } as const;
  // y = (0.5, 6.5)
  const { loss, y, ...others } = await learner.learn({ x });
  expect(others).toEqual({});
  expect([loss!.shape, [...loss!.data], [...y!.data]]).toEqual([[], [42.5], [0.5, 6.5]]);
  const gradientOf = (i: number) => [...viewOf(learner.gradients, trained.tensors[i]!)];
  expect([gradientOf(0), gradientOf(1)]).toEqual([[40, 2], [14]]);
  expect(Object.keys(await learner.learn({ x }, { scale: -0.5, want: ["loss"] }))).toEqual(["loss"]);
  expect([gradientOf(0), gradientOf(1)]).toEqual([[20, 1], [7]]);

  // Another program sees the parameters as they are now, those that it has.
  const other = createGraph("product alone");
  const { p } = trainedParameters(other);
  output(other, "z", linear(input(other, "x", "float32", ["b", 2]), p.tensor("w", [1, 2]), undefined));
  const run = await learner.load(compile(other).with(never));
  viewOf(state.parameters, trained.tensors[0]!).set([1, 1]);
  expect([...(await run({ x })).z!.data]).toEqual([3, 3]);
  await learner.close();
});
