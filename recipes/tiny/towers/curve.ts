/**
 * A learning curve of the vision encoder: CIFAR-10's photographs at 64 pixels a side, by a classification head alone.
 *
 *     npx tsx recipes/tiny/towers/curve.ts DATA RUN [--views 80000] [--width 128] [--layers 4] [--batch 64]
 *         [--rate 1e-3] [--threads 1] [--positions 0.5] [--pca] [--quick] [--average 0.995] [--kept 32] [--seconds N]
 *
 * DATA is a folder with `train.pack.br` and `test.pack.br`: records of one byte for the class, two for a length (little
 * endian) and a JPEG file. RUN is the run's folder; a run that was stopped goes on. `--positions`: a sinusoidal start of
 * this root mean square. `--pca`: the embedding of patches begins as principal components. `--quick`: QuickGELU. `--kept`: how many of an image's 64 patches
 * are learnt from.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { brotliDecompressSync } from "node:zlib";
import sharp from "sharp";
import { randomStream } from "../../../src/base/random.js";
import { openOrtFfi } from "../../../src/runtime/ortFfi.node.js";
import { type ClipConfig, clipGraph, imageGraph } from "./clipGraph.js";
import { initialClip } from "./initialTower.js";
import { keptTokens } from "./keptTokens.js";
import { principalPatches } from "./principalPatches.js";
import { trainTower } from "./trainTower.js";

const { values: given, positionals } = parseArgs({
  options: {
    views: { type: "string", default: "80000" },
    width: { type: "string", default: "128" },
    layers: { type: "string", default: "4" },
    batch: { type: "string", default: "64" },
    rate: { type: "string", default: "1e-3" },
    threads: { type: "string", default: "1" },
    seconds: { type: "string" },
    positions: { type: "string" },
    average: { type: "string" },
    pca: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    kept: { type: "string" },
  },
  allowPositionals: true,
});
const [data = "", folder = ""] = positionals;
const [width, layers, b] = [Number(given.width), Number(given.layers), Number(given.batch)];
const [side, patchSize, classes] = [64, 8, 10];
const [mean, std] = [0.47, 0.25];
const perImage = 3 * side * side;

interface Images {
  readonly labels: Int32Array;
  /** (n, side, side, 3) */
  readonly pixels: Uint8Array;
}

async function imagesOf(file: string): Promise<Images> {
  const bytes = brotliDecompressSync(readFileSync(`${data}/${file}`));
  const [labels, jpegs]: [number[], Buffer[]] = [[], []];
  for (let at = 0; at < bytes.length; ) {
    labels.push(bytes[at]!);
    const length = bytes.readUInt16LE(at + 1);
    jpegs.push(bytes.subarray(at + 3, at + 3 + length));
    at += 3 + length;
  }
  const pixels = new Uint8Array(labels.length * perImage);
  for (const [i, jpeg] of jpegs.entries()) {
    const image = sharp(jpeg).resize(side, side, { kernel: "cubic" }).removeAlpha().toColourspace("srgb");
    pixels.set(await image.raw().toBuffer(), i * perImage);
  }
  return { labels: Int32Array.from(labels), pixels };
}

/** One image as the encoder takes it, moved by so many pixels and perhaps mirrored; beyond the edge it is grey. */
function put(
  { pixels }: Images,
  image: number,
  into: Float32Array,
  at: number,
  [dx, dy, isMirrored] = [0, 0, 0],
) {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [fromX, fromY] = [(isMirrored ? side - 1 - x : x) + dx, y + dy];
      const isInside = fromX >= 0 && fromX < side && fromY >= 0 && fromY < side;
      const from = image * perImage + 3 * (fromY * side + fromX);
      for (let c = 0; c < 3; c++) {
        const value = isInside ? (pixels[from + c]! / 255 - mean) / std : 0;
        into[at * perImage + c * side * side + y * side + x] = value;
      }
    }
  }
}

const batchOf = (count: number) => new Float32Array(count * perImage);
const tensor = (pixels: Float32Array) => ({
  ...{ dtype: "float32" as const, shape: [pixels.length / perImage, 3, side, side] },
  data: pixels,
});

const [train, test] = [await imagesOf("train.pack.br"), await imagesOf("test.pack.br")];
const order = randomStream(1, "order of images");
const changes = randomStream(1, "changes of images");

/** Every image once an epoch, in another order. */
const orders = new Map<number, readonly number[]>();
function orderOf(epoch: number): readonly number[] {
  const known = orders.get(epoch);
  if (known) return known;
  const keys = Array.from(train.labels, (_, i) => order.uniform(i, epoch));
  const own = keys.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!);
  orders.set(epoch, own);
  return own;
}

function batchAt(step: number) {
  const pixels = batchOf(b);
  const labels = new Int32Array(b);
  for (let i = 0; i < b; i++) {
    const view = step * b + i;
    const image = orderOf(Math.floor(view / train.labels.length))[view % train.labels.length]!;
    const moved = (lane: number) => Math.floor(9 * changes.uniform(view, lane)) - 4;
    put(train, image, pixels, i, [moved(0), moved(1), changes.uniform(view, 2) < 0.5 ? 1 : 0]);
    labels[i] = train.labels[image]!;
  }
  const patches = (side / patchSize) ** 2;
  return {
    ...{ pixels: tensor(pixels), labels: { dtype: "int32" as const, shape: [b], data: labels } },
    ...(given.kept && { kept: keptTokens(step, { images: b, patches, kept: Number(given.kept), seed: 1 }) }),
  };
}

/** Patches of the first images, their numbers in the order of the embedding's. */
function samplePatches(): Float32Array {
  const k = 3 * patchSize ** 2;
  const patches: number[] = [];
  const pixels = batchOf(1);
  for (let image = 0; image < 300; image++) {
    put(train, image, pixels, 0);
    for (let patch = 0; patch < (side / patchSize) ** 2; patch += 3) {
      const [top, left] = [Math.floor(patch / 8) * patchSize, (patch % 8) * patchSize];
      for (let i = 0; i < k; i++) {
        const [c, y, x] = [
          Math.floor(i / patchSize ** 2),
          Math.floor(i / patchSize) % patchSize,
          i % patchSize,
        ];
        patches.push(pixels[c * side * side + (top + y) * side + left + x]!);
      }
    }
  }
  return Float32Array.from(patches);
}

const block = {
  layers,
  heads: width / 32,
  mlpRatio: 4,
  activation: given.quick ? "quickGelu" : "gelu",
} as const;
const config: ClipConfig = {
  vision: { imageSize: side, patchSize, hiddenSize: width, ...block },
  text: { contextLength: 8, vocabulary: 8, hiddenSize: 64, features: width, ...block },
};
const scores = imageGraph(config, classes);
const k = 3 * patchSize ** 2;
const runtime = await openOrtFfi();
let last = performance.now();
const result = await trainTower({
  ...{ runtime, folder, batchAt, threads: Number(given.threads) },
  program: clipGraph(config, {
    contrast: 0,
    classes: { count: classes, weight: 1 },
    keptPatches: given.kept === undefined ? undefined : Number(given.kept),
  }),
  initial: initialClip({
    ...{ seed: 1, config },
    ...(given.positions && { sinusoidalPositions: { vision: Number(given.positions) } }),
    ...(given.pca && { patchEmbedding: principalPatches(samplePatches(), { k, rows: width, seed: 1 }) }),
  }),
  settings: {
    width,
    layers,
    batch: b,
    pca: given.pca,
    positions: given.positions ?? "random",
    quick: given.quick,
  },
  ...{ steps: Math.floor(Number(given.views) / b), learningRate: Number(given.rate), weightDecay: 0.05 },
  ...(given.average && { averageDecay: Number(given.average) }),
  ...(given.seconds && { stopAfterSeconds: Number(given.seconds) }),
  evaluateEvery: Math.round(10_000 / b),
  async evaluate(load, step) {
    const run = await load(scores);
    const count = step === Math.floor(Number(given.views) / b) ? test.labels.length : 1000;
    let right = 0;
    for (let from = 0; from < count; from += 100) {
      const pixels = batchOf(100);
      for (let i = 0; i < 100; i++) put(test, from + i, pixels, i);
      const { data } = (await run({ pixels: tensor(pixels) })).scores!;
      for (let i = 0; i < 100; i++) {
        const own = Array.from(data.subarray(i * classes, (i + 1) * classes), Number);
        if (own.indexOf(Math.max(...own)) === test.labels[from + i]) right++;
      }
    }
    return { accuracy: right / count };
  },
  onProgress({ step, values, evaluation, gradientNorm, waited, seconds }) {
    if (!evaluation && step % 20 > 0) return;
    const { user, system } = process.cpuUsage();
    console.log(
      `${step * b} views: loss ${values.loss!.toFixed(3)}, norm ${gradientNorm.toFixed(2)}` +
        `${evaluation ? `, accuracy ${(100 * Number(evaluation.accuracy)).toFixed(1)}%` : ""}; ` +
        `step ${(1000 * seconds).toFixed(0)} ms (waited ${(1000 * waited).toFixed(0)}), ${((performance.now() - last) / 1000).toFixed(1)} s, processor ${((user + system) / 1e6).toFixed(0)} s in all`,
    );
    last = performance.now();
  },
});
console.log(`${result.step} steps, ${result.seconds.toFixed(0)} s`);
await runtime.close();
