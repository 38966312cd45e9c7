/** Towers that were written are read by the package's own loaders, and say the same as the programs they were trained in. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clipGraph, imageGraph, textGraph } from "../../../../recipes/tiny/towers/clipGraph.js";
import { initialClip, initialMpt } from "../../../../recipes/tiny/towers/initialTower.js";
import { languageGraph, logitsGraph, logitsOf } from "../../../../recipes/tiny/towers/languageGraph.js";
import { compiledTower, openTower } from "../../../../recipes/tiny/towers/openTower.js";
import { namedTensors } from "../../../../recipes/tiny/towers/towerRun.js";
import { writeClip, writeLanguageModel } from "../../../../recipes/tiny/towers/writeTowers.js";
import { openCheckpoint } from "../../../../src/checkpoints/openCheckpoint.node.js";
import { createGraph, input, output } from "../../../../src/graph/index.js";
import { languageModel, visionConfiguration } from "../../../../src/models/configuration.js";
import { params } from "../../../../src/models/layers.js";
import { compile } from "../../../../src/onnx/compile.js";
import { createFeatures } from "../../../../src/runner/features.js";
import { openOrtFfi } from "../../../../src/runtime/ortFfi.node.js";
import type { Runtime } from "../../../../src/runtime/runtime.js";
import { loadTower } from "../../../../src/weights/clipTowers.js";
import { readWeights } from "../../../../src/weights/loadWeights.js";
import { temporaryFolder } from "../../../checkpoints/fixtures.js";
import { randomModelFolder } from "../../../goldens.js";
import { clip, clipBatch, language, languageBatch, mptConfig } from "./tinyTowers.js";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openOrtFfi();
});
afterAll(() => runtime.close());

const json = (folder: string, name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
const normalised = (x: Float32Array) => {
  const length = Math.sqrt(x.reduce((sum, each) => sum + each * each, 0));
  return x.map((each) => each / length);
};
const largest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

test.each([
  ["float32", 1e-6],
  ["float16", 2e-3],
] as const)("CLIP in %s", async (dtype, bound) => {
  const program = clipGraph(clip, { classes: { count: 3, weight: 1 } });
  const initial = initialClip({ seed: 2, config: clip });
  await using closing = closer();
  const tower = closing.with(await openTower({ runtime, program, initial, threads: 1 }));
  const tensors = namedTensors(program.trained, tower.state.parameters);
  const folder = temporaryFolder();
  const colours = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] } as const;
  await writeClip(folder, { config: clip, tensors, colours, dtype });

  const read = visionConfiguration("open_clip_config.json", json(folder, "open_clip_config.json"));
  expect(read).toMatchObject({ vit: clip.vision, ...colours });
  expect(read.text()).toEqual(clip.text);
  await using checkpoint = await openCheckpoint(join(folder, "open_clip_model.safetensors"));
  expect([...checkpoint.tensors.keys()].some((name) => name.startsWith("class_head"))).toBe(false);
  const features = createFeatures(runtime, read, (each, uses) =>
    loadTower(each, uses, checkpoint, new Map()),
  );
  const { pixels, ids } = clipBatch();
  const ofImages = await (await tower.learner.load(compiledTower(imageGraph(clip))))({ pixels: pixels! });
  const ofTexts = await (await tower.learner.load(compiledTower(textGraph(clip))))({ ids: ids! });
  const row = ({ features: all }: typeof ofImages, i: number) =>
    (all!.data as Float32Array).slice(8 * i, 8 * (i + 1));
  const image = await features.ofImage((pixels!.data as Float32Array).slice(768, 2 * 768));
  const text = await features.ofText([18, 5, 19]);
  expect(largest(normalised(image), row(ofImages, 1))).toBeLessThan(bound);
  expect(largest(normalised(text), row(ofTexts, 1))).toBeLessThan(bound);
  expect(largest(row(ofImages, 0), row(ofImages, 1))).toBeGreaterThan(0.05);
});

test("the language model", async () => {
  const program = languageGraph(language);
  await using closing = closer();
  const initial = initialMpt({ seed: 2, layers: 2 });
  const tower = closing.with(await openTower({ runtime, program, initial, threads: 1 }));
  const { ids } = languageBatch();
  const trained = await (await tower.learner.load(compiledTower(logitsGraph(language))))({ ids: ids! });
  for (const [dtype, bound] of [
    ["float32", 1e-5],
    ["float16", 2e-2],
  ] as const) {
    const folder = temporaryFolder();
    const tensors = namedTensors(program.trained, tower.state.parameters);
    await writeLanguageModel(folder, { config: mptConfig, tensors, dtype });
    const model = languageModel("config.json", json(folder, "config.json"), mptConfig.vocabulary);
    expect(model.madeOf).toEqual(language.madeOf);
    await using checkpoint = await openCheckpoint(folder);
    const graph = createGraph("what was written");
    output(graph, "logits", logitsOf(params(graph), input(graph, "ids", "int32", ["b", "t"]), model));
    const compiled = compile(graph);
    const weights = await readWeights(
      compiled.weights,
      new Map(
        compiled.weights.map(({ tensor, from }) => [
          tensor,
          { checkpoint, name: tensor, info: checkpoint.tensors.get(tensor)!, shape: from },
        ]),
      ),
    );
    await using session = await runtime.load(compiled.with((name) => weights.get(name)!));
    const { logits } = await session.run({ ids: ids! });
    const [a, b] = [logits!.data as Float32Array, trained.logits!.data as Float32Array];
    expect(largest(a, b)).toBeLessThan(bound);
    expect(Math.max(...b)).toBeGreaterThan(0.5);
  }
});

test("what is trained has the names and shapes of open_clip's and MPT's own files", async () => {
  const parts = [
    {
      weights: "clip/open_clip_pytorch_model.bin",
      trained: () => {
        const read = visionConfiguration("clip", json(randomModelFolder, "clip/open_clip_config.json"));
        return clipGraph({ vision: read.vit, text: read.text() }).trained;
      },
    },
    {
      weights: "lang",
      trained: () =>
        languageGraph(languageModel("lang", json(randomModelFolder, "lang/config.json"), 576)).trained,
    },
  ];
  for (const { weights, trained } of parts) {
    await using checkpoint = await openCheckpoint(join(randomModelFolder, weights));
    const theirs = [...checkpoint.tensors].map(([name, { shape }]) => `${name} (${shape.join(", ")})`);
    const ours = trained().tensors.map(({ name, shape }) => `${name} (${shape.join(", ")})`);
    expect(ours.sort()).toEqual(theirs.sort());
  }
});

/** Closes what it was given when its block ends. */
function closer() {
  const all: { close(): Promise<void> }[] = [];
  return {
    with<T extends { close(): Promise<void> }>(each: T): T {
      all.push(each);
      return each;
    },
    async [Symbol.asyncDispose]() {
      for (const each of all) await each.close();
    },
  };
}
