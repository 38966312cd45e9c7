/**
 * What a step of training costs: time to make it ready, seconds by part, and the peak of memory, of a released form with
 * made-up weights and the first blocks of its language model.
 *
 *     npx tsx bench/trainStep.ts [FORM] [--blocks N] [--batch N] [--tokens N] [--recompute] [--precision amp_bf16]
 *         [--weights int8|int4] [--steps N] [--threads N] [--width N]
 *
 * FORM is the end of a model's name, 3B-vitl-mpt1b when left out. `--width`: with a language model of this hidden size in
 * place of the form's. One run is one process: its peak is the system's own count (VmHWM).
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { elementCount } from "../src/base/dtypes.js";
import { randomStream } from "../src/base/random.js";
import type { Checkpoint } from "../src/checkpoints/checkpoint.js";
import type { TrainingBatch } from "../src/learn/batch.js";
import { type LearnOptions, learnGraph, type Precision, visionGraph } from "../src/learn/learnGraph.js";
import { createStep } from "../src/learn/step.js";
import { mpt } from "../src/models/mpt.js";
import { zoo } from "../src/models/zoo.js";
import { compile } from "../src/onnx/compile.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { formatsOf, type WeightFormat } from "../src/weights/weightFormats.js";
import { reportMachine } from "./measure.js";

const { values: given, positionals } = parseArgs({
  options: {
    blocks: { type: "string", default: "4" },
    batch: { type: "string", default: "1" },
    tokens: { type: "string", default: "256" },
    steps: { type: "string", default: "3" },
    threads: { type: "string", default: String(availableParallelism()) },
    recompute: { type: "boolean", default: false },
    precision: { type: "string", default: "fp32" },
    weights: { type: "string", default: "fp32" },
    width: { type: "string" },
  },
  allowPositionals: true,
});
const [name = "3B-vitl-mpt1b"] = positionals;
const form = zoo.find((each) => each.name.endsWith(`OpenFlamingo-${name}`))!.config;
const layers = Number(given.blocks);
const width = Number(given.width);
const language = width
  ? mpt({
      ...{ layers, hiddenSize: width, heads: width / 64, mlpRatio: 4 },
      ...{ vocabulary: 1000, contextLength: 2048, alibiMax: 8 },
    })
  : { ...form.language, layers };
const config = { ...form, language, vision: { ...form.vision, ...(width && { layers: 1 }) } };
const [imageToken, endOfChunk] = [config.language.vocabulary - 2, config.language.vocabulary - 3];
const options: LearnOptions = {
  embeddingRows: [endOfChunk, imageToken],
  precision: given.precision as Precision,
  recompute: given.recompute,
  formatOf: formatsOf(given.weights as WeightFormat, { exact: true }),
};

const peak = () => Number(readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+)/)![1]) / 2 ** 20;
const since = (start: number) => `${((performance.now() - start) / 1000).toFixed(2)} s`;

let start = performance.now();
const { graph, trained } = learnGraph(config, options);
const written = since(start);
start = performance.now();
const compiled = compile(graph);
console.log(`graph: ${graph.nodes.length} nodes written in ${written}, compiled in ${since(start)}`);

const shapes = new Map([
  ...compile(visionGraph(config, options).graph).weights.map(({ tensor, from }) => [tensor, from] as const),
  ...compiled.weights.map(({ tensor, from }) => [tensor, from] as const),
  ...trained.tensors.flatMap(({ name, shape, rows }) => (rows ? [] : [[name, shape] as const])),
]);
const normals = new Float32Array(2 ** 16);
const random = randomStream(0, "synthetic");
for (let i = 0; i < normals.length; i++) normals[i] = random.normal(i);
const madeUp = (all: ReadonlyMap<string, readonly number[]>): Checkpoint => ({
  name: "made up",
  tensors: new Map([...all].map(([name, shape]) => [name, { dtype: "float32", shape }])),
  async read(name, into) {
    const shape = all.get(name)!;
    const [mean, deviation] = /gate$/.test(name)
      ? [0.5, 0.1]
      : shape.length === 1
        ? [/weight$/.test(name) ? 1 : 0, 0.02]
        : [0, 0.7 * shape.at(-1)! ** -0.5];
    const shift = (name.length * 7919) % normals.length;
    for (let i = 0; i < into.length; i++)
      into[i] = mean + deviation * normals[(i + shift + (i >> 16)) & 0xffff]!;
    return true;
  },
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
});
const nothing = madeUp(new Map());

const runtime = await openOrtFfi();
reportMachine(runtime);
const threads = Number(given.threads);
start = performance.now();
const step = await createStep({
  ...options,
  ...{ runtime, config, imageToken, threads },
  checkpoints: { vision: nothing, language: nothing, flamingo: madeUp(shapes) },
});
const numbers = trained.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
console.log(
  `ready in ${since(start)}, ${(numbers / 1e6).toFixed(1)} M trained, peak ${peak().toFixed(2)} GiB`,
);

const [b, t] = [Number(given.batch), Number(given.tokens)];
const ids = Int32Array.from({ length: b * t }, (_, i) => (i % t === 0 ? imageToken : 5 + ((i * 31) % 900)));
const pixels = Float32Array.from(
  { length: b * 3 * config.vision.imageSize ** 2 },
  (_, i) => normals[i & 0xffff]!,
);
start = performance.now();
const tokens = await step.encodeImages(pixels);
console.log(`images: ${since(start)}`);
const batch: TrainingBatch = {
  ids,
  shape: [b, t],
  attentionMask: new Int32Array(b * t).fill(1),
  labels: ids.map((id) => (id === imageToken ? -100 : id)),
  imagesOfRows: Array<number>(b).fill(1),
  images: { tokens },
};
for (let i = 0; i < Number(given.steps); i++) {
  const before = process.cpuUsage();
  start = performance.now();
  const { losses, gradientNorms, seconds } = await step.run({ laion: batch });
  const { user, system } = process.cpuUsage(before);
  console.log(
    `step ${i}: ${since(start)}, processor ${((user + system) / 1e6).toFixed(2)} s, ` +
      `learning ${seconds.learning.toFixed(2)} s, optimizer ${seconds.optimizer.toFixed(2)} s; ` +
      `loss ${losses[0]!.laion!.toFixed(4)}, norm ${gradientNorms[0]!.toFixed(4)}, peak ${peak().toFixed(2)} GiB`,
  );
}
await step.close();
await runtime.close();
