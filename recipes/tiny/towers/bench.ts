/**
 * How fast towers learn: images and tokens a second of whole steps (losses, gradients, AdamW), and what share of it is
 * the optimizer's.
 *
 *     npx tsx recipes/tiny/towers/bench.ts [--threads 1,2] [--only vit|clip|language] [--seconds 2] [--batch 64,128]
 *
 * `vit`: the vision encoder with a classification head; `clip`: with a text tower of 2 layers, 128 wide, and the
 * contrastive loss; `language`: 16 rows of 128 tokens, a vocabulary of 2,048. Images have 64 pixels a side, patches 8.
 */
import { parseArgs } from "node:util";
import { elementCount } from "../../../src/base/dtypes.js";
import { randomStream } from "../../../src/base/random.js";
import type { Feeds } from "../../../src/learn/learner.js";
import { mpt } from "../../../src/models/mpt.js";
import { openOrtFfi } from "../../../src/runtime/ortFfi.node.js";
import { type ClipConfig, clipGraph } from "./clipGraph.js";
import { initialClip, initialMpt } from "./initialTower.js";
import { languageGraph } from "./languageGraph.js";
import { type OpenTowerOptions, openTower } from "./openTower.js";

const { values: given } = parseArgs({
  options: {
    threads: { type: "string", default: "1,2" },
    batch: { type: "string", default: "64" },
    only: { type: "string" },
    sizes: { type: "string" },
    seconds: { type: "string", default: "2" },
  },
});
const numbers = (text: string) => text.split(",").map(Number);
const runtime = await openOrtFfi();

const random = randomStream(1, "bench");
const floats = (shape: readonly number[]) => ({
  ...{ dtype: "float32" as const, shape },
  data: Float32Array.from({ length: elementCount(shape) }, (_, i) => random.normal(i % 4096)),
});
const ints = (shape: readonly number[], below: number) => ({
  ...{ dtype: "int32" as const, shape },
  data: Int32Array.from({ length: elementCount(shape) }, (_, i) => Math.floor(below * random.uniform(i))),
});

async function measure(
  what: string,
  tower: Pick<OpenTowerOptions, "program" | "initial">,
  feeds: Feeds,
  count: number,
  unit: string,
) {
  for (const threads of numbers(given.threads)) {
    const { state, learner, optimizer, close } = await openTower({ runtime, ...tower, threads });
    const parts = { learning: 0, optimizer: 0 };
    let steps = -2; // the first ones find memory
    let began = performance.now();
    let processor = process.cpuUsage();
    while (steps < 3 || performance.now() - began < 1000 * Number(given.seconds)) {
      if (steps++ === 0) {
        began = performance.now();
        processor = process.cpuUsage();
        parts.learning = parts.optimizer = 0;
      }
      const start = performance.now();
      learner.gradients.fill(0);
      await learner.learn(feeds);
      const learnt = performance.now();
      const norm = await optimizer.norm(learner.gradients);
      await optimizer.update(state, learner.gradients, {
        ...{ clip: Math.min(1, 1 / norm), learningRate: 1e-4, weightDecay: 0.1, step: ++state.step },
      });
      parts.learning += learnt - start;
      parts.optimizer += performance.now() - learnt;
    }
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(processor);
    const all = count * steps;
    const share = parts.optimizer / (parts.learning + parts.optimizer);
    console.log(
      `${what}, ${threads} threads: ${((all / (user + system)) * 1e6).toFixed(0)} ${unit} a second of a core, ` +
        `${(all / seconds).toFixed(0)} of the clock; ${((1000 * seconds) / steps).toFixed(0)} ms a step, ` +
        `optimizer ${(100 * share).toFixed(1)}%; ${(state.trained.length / 1e6).toFixed(2)} M parameters`,
    );
    await close();
  }
}

const sizes = (given.sizes ?? "128x4,192x6,256x6").split(",").map((each) => each.split("x").map(Number));
for (const [width, layers] of sizes as [number, number][]) {
  const block = { layers, heads: width / 32, mlpRatio: 4, activation: "gelu" } as const;
  const config: ClipConfig = {
    vision: { imageSize: 64, patchSize: 8, hiddenSize: width, ...block },
    text: {
      ...{ contextLength: 24, vocabulary: 2048, hiddenSize: 128, features: 128 },
      ...{ ...block, layers: 2, heads: 4 },
    },
  };
  const initial = initialClip({ seed: 1, config });
  for (const b of numbers(given.batch)) {
    const pixels = floats([b, 3, 64, 64]);
    const labels = ints([b], 10);
    const classes = { count: 10, weight: 1 };
    if ((given.only ?? "vit") === "vit") {
      const program = clipGraph(config, { contrast: 0, classes });
      await measure(
        `ViT ${width} x ${layers}, batch ${b}`,
        { program, initial },
        { pixels, labels },
        b,
        "images",
      );
    }
    if ((given.only ?? "clip") === "clip") {
      const program = clipGraph(config, { classes });
      const feeds = { pixels, labels, ids: ints([b, 24], 2048) };
      await measure(`CLIP ${width} x ${layers}, batch ${b}`, { program, initial }, feeds, b, "images");
    }
  }
}
const languageSizes = (given.sizes ?? "128x4,192x4,256x4")
  .split(",")
  .map((each) => each.split("x").map(Number));
for (const [width, layers] of languageSizes as [number, number][]) {
  if ((given.only ?? "language") !== "language") continue;
  const model = mpt({
    ...{ layers, hiddenSize: width, heads: width === 192 ? 6 : 4, mlpRatio: 4 },
    ...{ vocabulary: 2048, contextLength: 128, alibiMax: 8 },
  });
  const feeds = {
    ids: ints([16, 128], 2048),
    targets: ints([16, 128], 2048),
    weights: { ...floats([16, 128]), data: new Float32Array(16 * 128).fill(1) },
  };
  const tower = { program: languageGraph(model), initial: initialMpt({ seed: 1, layers }) };
  await measure(`MPT ${width} x ${layers}, 16 x 128`, tower, feeds, 16 * 128, "tokens");
}
await runtime.close();
