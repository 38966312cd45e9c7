/** Gradients of both towers against differences of their losses, and what the losses are of. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clipGraph } from "../../../../recipes/tiny/towers/clipGraph.js";
import { type Initial, initialClip, initialMpt } from "../../../../recipes/tiny/towers/initialTower.js";
import { keptTokens } from "../../../../recipes/tiny/towers/keptTokens.js";
import { languageGraph } from "../../../../recipes/tiny/towers/languageGraph.js";
import { linearConnectorsGraph } from "../../../../recipes/tiny/towers/linearConnectors.js";
import type { TowerProgram } from "../../../../recipes/tiny/towers/towerProgram.js";
import { randomStream } from "../../../../src/base/random.js";
import { type Feeds, type Learner, openLearner } from "../../../../src/learn/learner.js";
import { emptyState, takeParameters } from "../../../../src/learn/state.js";
import { viewOf } from "../../../../src/learn/trainedTensors.js";
import { compile } from "../../../../src/onnx/compile.js";
import { openOrtFfi } from "../../../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../../../src/runtime/runtime.js";
import { clip, clipBatch, language, languageBatch } from "./tinyTowers.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

async function open({ graph, trained }: TowerProgram, initial: Initial) {
  const state = emptyState(trained);
  for (const { name, shape } of trained.tensors) takeParameters(state, name, initial(name, shape));
  const program = compile(graph).with(() => {
    throw new Error("a tower has no frozen weights");
  });
  const learner = await openLearner(runtime, program, state, { threads: 1 });
  return { state, learner };
}

const lossOf = async (learner: Learner, feeds: Feeds, want = "loss") =>
  Number((await learner.learn(feeds, { want: [want] }))[want]!.data[0]);

const clipStart = initialClip({ seed: 3, config: clip });
const without = (batch: Feeds, name: string) =>
  Object.fromEntries(Object.entries(batch).filter(([each]) => each !== name));

const linear = linearConnectorsGraph({ language, blocks: [0, 1], visionWidth: 5, maps: 2, latents: 8 });
/** The language model's parameters are inputs that nothing is learnt of. */
const frozen = Object.fromEntries(
  [...linear.graph.inputs]
    .filter(([name]) => name.startsWith("transformer."))
    .map(([name, { shape }]) => {
      const fixed = shape as readonly number[];
      const data = initialMpt({ seed: 4, layers: 2 })(name, fixed);
      return [name, { dtype: "float32" as const, shape: fixed, data }];
    }),
);

describe.each([
  {
    what: "CLIP with classes",
    program: clipGraph(clip, { classes: { count: 3, weight: 0.7 } }),
    initial: clipStart,
    feeds: clipBatch(),
  },
  {
    what: "the vision encoder with classes alone",
    program: clipGraph(clip, { contrast: 0, classes: { count: 3, weight: 1 } }),
    initial: clipStart,
    feeds: without(clipBatch(), "ids"),
  },
  {
    what: "CLIP by some of the patches",
    program: clipGraph(clip, { keptPatches: 2 }),
    initial: clipStart,
    feeds: {
      ...without(clipBatch(), "labels"),
      kept: keptTokens(0, { images: 4, patches: 4, kept: 2, seed: 1 }),
    },
  },
  {
    what: "CLIP with classes of images and of patches, some of them",
    program: clipGraph(clip, {
      ...{ classes: { count: 3, weight: 0.7 }, patches: { weight: 0.4, width: 5 }, keptPatches: 2 },
    }),
    initial: clipStart,
    feeds: {
      ...clipBatch(),
      kept: keptTokens(0, { images: 4, patches: 4, kept: 2, seed: 1 }),
      patch_tokens: { dtype: "int32" as const, shape: [4], data: Int32Array.of(2, 7, 11, 0) },
      patch_labels: { dtype: "int32" as const, shape: [4], data: Int32Array.of(1, 2, 0, -1) },
      names: {
        ...{ dtype: "float32" as const, shape: [3, 5] },
        data: Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)),
      },
    },
  },
  {
    what: "the language model",
    program: languageGraph(language),
    initial: initialMpt({ seed: 3, layers: 2 }),
    feeds: languageBatch(),
  },
  {
    what: "linear connectors over a frozen language model",
    program: linear,
    initial: (name: string, shape: readonly number[]) => {
      const { normal } = randomStream(5, name);
      return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => 0.3 * normal(i));
    },
    feeds: {
      ...frozen,
      ...languageBatch(),
      images: {
        ...{ dtype: "float32" as const, shape: [3, 5] },
        data: Float32Array.from({ length: 15 }, (_, i) => (i < 5 ? 0 : Math.cos(i))),
      },
      image_of: {
        ...{ dtype: "int32" as const, shape: [2, 7] },
        data: Int32Array.of(0, 1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 2, 1, 1),
      },
    },
  },
])("$what", ({ program, initial, feeds }) => {
  test("every gradient is the slope of the loss, and they add up, times their scale", async () => {
    const { state, learner } = await open(program, initial);
    await learner.learn(feeds);
    const gradients = learner.gradients.slice();
    for (const tensor of program.trained.tensors) {
      const random = randomStream(5, `direction in ${tensor.name}`);
      const values = viewOf(state.parameters, tensor);
      const before = values.slice();
      const direction = values.map((_, i) => random.normal(i));
      // So that the loss moves by about as much whatever the tensor's size.
      const step = 0.02 / Math.sqrt(direction.length);
      const at = async (by: number) => {
        values.set(before.map((x, i) => x + by * step * direction[i]!));
        return lossOf(learner, feeds);
      };
      const difference =
        (8 * ((await at(1)) - (await at(-1))) - ((await at(2)) - (await at(-2)))) / (12 * step);
      values.set(before);
      const own = viewOf(gradients, tensor);
      const slope = own.reduce((sum, x, i) => sum + x * direction[i]!, 0);
      const size = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
      expect(size, tensor.name).toBeGreaterThan(0);
      // A loss in float32 is known to about 2e-7.
      expect(Math.abs(difference - slope), tensor.name).toBeLessThan(2e-2 * size + 1e-6 / step);
    }
    learner.gradients.fill(0);
    await learner.learn(feeds, { scale: 0.5 });
    await learner.learn(feeds, { scale: 2 });
    const off = learner.gradients.map((x, i) => Math.abs(x - 2.5 * gradients[i]!));
    expect(Math.max(...off)).toBeLessThan(1e-5 * Math.max(...gradients.map(Math.abs)));
    await learner.close();
  });
});

test("at the start the temperature is 1/0.07, and a norm, a bias and it do not decay", () => {
  const { trained } = clipGraph(clip);
  const kept = trained.tensors.filter(({ offset }) => offset >= trained.withoutDecay);
  expect(kept.map(({ name }) => name)).toContain("logit_scale");
  expect(kept.every(({ shape }) => shape.length < 2)).toBe(true);
  expect(trained.tensors.filter((each) => !kept.includes(each)).every(({ shape }) => shape.length > 1)).toBe(
    true,
  );
  expect(Math.exp(clipStart("logit_scale", [])[0]!)).toBeCloseTo(1 / 0.07, 4);
});

test("an image of no class counts for nothing, and of none at all the loss is 0", async () => {
  const { learner } = await open(
    clipGraph(clip, { contrast: 0, classes: { count: 3, weight: 1 } }),
    clipStart,
  );
  const feeds = without(clipBatch(), "ids");
  const labelled = (labels: readonly number[]) =>
    lossOf(learner, {
      ...feeds,
      labels: { dtype: "int32", shape: [4], data: Int32Array.from(labels) },
    });
  const [all, ...each] = [
    await labelled([0, 2, -1, 1]),
    await labelled([0, -1, -1, -1]),
    await labelled([-1, 2, -1, -1]),
    await labelled([-1, -1, -1, 1]),
  ];
  expect(all).toBeCloseTo((each[0]! + each[1]! + each[2]!) / 3, 5);
  expect(Math.abs(await labelled([-1, -1, -1, -1]))).toBe(0);
  await learner.close();
});

test("a token of weight 0 counts for nothing", async () => {
  const { learner } = await open(languageGraph(language), initialMpt({ seed: 3, layers: 2 }));
  const feeds = languageBatch();
  const other = feeds.targets!.data.slice() as Int32Array;
  other.fill(7, 11);
  const changed = { ...feeds, targets: { ...feeds.targets!, data: other } };
  expect(await lossOf(learner, changed)).toBe(await lossOf(learner, feeds));
  other.fill(7, 10);
  expect(await lossOf(learner, changed)).not.toBe(await lossOf(learner, feeds));
  await learner.close();
});

test("images with the same text are no wrong answers to each other where that is asked for", async () => {
  const losses: number[] = [];
  for (const ignoreSameTexts of [false, true]) {
    const { learner } = await open(clipGraph(clip, { ignoreSameTexts }), clipStart);
    losses.push(await lossOf(learner, without(clipBatch(), "labels")));
    await learner.close();
  }
  expect(losses[1]!).toBeLessThan(losses[0]! - 0.01);
});

test("all patches kept are the images as they are", async () => {
  const feeds = without(clipBatch(), "labels");
  const losses: number[] = [];
  for (const keptPatches of [undefined, 4]) {
    const { learner } = await open(clipGraph(clip, { keptPatches }), clipStart);
    const kept = keptTokens(0, { images: 4, patches: 4, kept: 4, seed: 1 });
    losses.push(await lossOf(learner, keptPatches ? { ...feeds, kept } : feeds));
    await learner.close();
  }
  expect(losses[1]).toBeCloseTo(losses[0]!, 6);
});
