/** The third stage: an image tower, and a text tower to learn it with, CLIP's form. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import type { ClipSettings } from "../settings.js";
import { type ClipConfig, clampLogitScale, clipGraph, imageGraph } from "../towers/clipGraph.js";
import { initialClip } from "../towers/initialTower.js";
import { keptTokens } from "../towers/keptTokens.js";
import { principalPatches } from "../towers/principalPatches.js";
import { readTensors, startFrom } from "../towers/readTensors.js";
import { type Evaluate, trainTower } from "../towers/trainTower.js";
import { clipFiles, writeClip } from "../towers/writeTowers.js";
import {
  type ClipSample,
  type ClipSources,
  clipSample,
  ofPhotograph,
  singleTestScene,
} from "./clipSamples.js";
import type { Stage } from "./stage.js";

/** CLIP's own, on the scale of 0 to 1. */
const colours = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;

/** @returns whether it is trained to its end */
export async function makeClip(
  stage: Stage,
  sources: ClipSources,
  tokenizer: FlamingoTokenizer,
): Promise<boolean> {
  const { settings, work, folder } = stage;
  const { cycles } = settings.clip;
  const outputs = Array.from({ length: cycles }, (_, i) =>
    i === cycles - 1 ? join(folder, "clip") : join(work, `clip-${i + 1}`, "weights"),
  );
  const isMade = (output: string) => existsSync(join(output, clipFiles.weights));
  // What comes before a cycle that is done need not be at hand.
  for (let i = outputs.findLastIndex(isMade) + 1; i < cycles; i++) {
    const cycle = { number: i + 1, ...(i > 0 && { from: outputs[i - 1]! }), output: outputs[i]! };
    if (!(await trainCycle(stage, sources, tokenizer, cycle))) return false;
  }
  return true;
}

/** A warm-up and a cosine, with an optimizer that begins anew; from the second on it starts from the one before. */
interface Cycle {
  /** From 1. */
  readonly number: number;
  readonly from?: string;
  readonly output: string;
}

async function trainCycle(
  stage: Stage,
  sources: ClipSources,
  tokenizer: FlamingoTokenizer,
  { number, from, output }: Cycle,
): Promise<boolean> {
  const { settings, work, runtime, threads, tell } = stage;
  const { seed, clip, vocabulary } = settings;
  const { cycles: _, evaluateEvery, checkpointEvery, ...numbers } = clip;
  const { classes } = sources;
  const config = configOf(clip, vocabulary);
  const training = {
    ...{ classes: { count: classes.size, weight: 1 }, patchWeight: 1 },
    ...{ ignoreSameTexts: true, somePatches: clip.keptPatches !== undefined },
  };
  const scores = imageGraph(config, classes.size);
  const fresh = initialClip({
    ...{ seed, config, sinusoidalPositions: { vision: 0.5, text: 0.01 } },
    patchEmbedding: patchStart(sources, clip),
  });
  const trained = await trainTower({
    ...{ runtime, threads, signal: stage.signal, stopAfterSeconds: stage.stopAfterSeconds },
    program: clipGraph(config, training),
    initial: from === undefined ? fresh : startFrom(await readTensors(join(from, clipFiles.weights)), fresh),
    folder: join(work, `clip-${number}`),
    settings: { seed, ...numbers, vocabulary, classes: classes.size, ...(number > 1 && { cycle: number }) },
    ...{ steps: clip.steps, learningRate: clip.learningRate, averageDecay: 0.999 },
    batchAt: (step) => batchAt(sources, clip, tokenizer, (number - 1) * clip.steps + step),
    afterStep: (parameter) => clampLogitScale(parameter("logit_scale")),
    ...{ evaluateEvery, checkpointEvery },
    evaluate: async (load) => evaluation(await load(scores), sources, clip),
    onProgress: ({ step, steps, values, seconds, waited, evaluation: found }) => {
      if (!found && step % 20 !== 0) return;
      const losses = ["contrastive", "classification", "patches"].map(
        (name) => `${name} ${values[name]!.toFixed(3)}`,
      );
      const time = `${seconds.toFixed(2)} s (${waited.toFixed(2)})`;
      const more = found ? ` ${JSON.stringify(found)}` : "";
      tell(`clip-${number} ${step}/${steps} ${losses.join(" ")} ${time}${more}`);
    },
  });
  if (!trained.isDone) return false;
  const tensors = trained.average ?? trained.parameters;
  await writeClip(output, { config, tensors, colours, dtype: "float16" });
  return true;
}

function configOf(clip: ClipSettings, vocabulary: number): ClipConfig {
  const { imageSize, patchSize, hiddenSize, layers, heads, features, textLength } = clip;
  const block = { mlpRatio: 4, activation: "gelu" } as const;
  return {
    vision: { imageSize, patchSize, hiddenSize, layers, heads, ...block },
    text: {
      // The end of a text has the largest id.
      ...{ contextLength: textLength, vocabulary: vocabulary + 1, hiddenSize: clip.textHiddenSize, features },
      ...{ layers: clip.textLayers, heads: clip.textHiddenSize / 32, ...block },
    },
  };
}

async function batchAt(sources: ClipSources, clip: ClipSettings, tokenizer: FlamingoTokenizer, step: number) {
  const { batch, textLength } = clip;
  const samples = Array.from({ length: batch }, (_, i) => clipSample(sources, step * batch + i));
  const kept = clip.keptPatches === undefined ? undefined : keptOf(sources, clip, step);
  const ids = new Int32Array(batch * textLength);
  for (const [i, { text }] of samples.entries()) {
    const tokens = tokenizer.encode(text, { maxLength: textLength - 1 });
    ids.set([...tokens, tokenizer.special.padding + 1], i * textLength);
  }
  return {
    pixels: pixelsOf(samples, clip),
    ...(kept && { kept }),
    ...patchesOf(samples, clip, kept),
    ids: { dtype: "int32", shape: [batch, textLength], data: ids },
    labels: { dtype: "int32", shape: [batch], data: Int32Array.from(samples, ({ label }) => label) },
  } satisfies Record<string, HostTensor>;
}

const keptOf = (
  { seed }: ClipSources,
  { batch, imageSize, patchSize, keptPatches }: ClipSettings,
  step: number,
) => keptTokens(step, { images: batch, patches: (imageSize / patchSize) ** 2, kept: keptPatches!, seed });

/** How many patches of an image are named, on average: more take time, and those of one thing say the same. */
const namedPatches = 4;

/** Patches that show a thing, among the tokens that are kept: as many as there is room for, from all over the batch. */
function patchesOf(
  samples: readonly ClipSample[],
  { imageSize, patchSize }: ClipSettings,
  kept?: HostTensor<"int32">,
): Record<"patch_tokens" | "patch_labels", HostTensor> {
  const tokens = 1 + (imageSize / patchSize) ** 2;
  const all = new Int32Array(samples.length * tokens).fill(-1);
  for (const [i, { patchLabels }] of samples.entries()) if (patchLabels) all.set(patchLabels, i * tokens + 1);
  const labels = kept ? kept.data.map((token) => all[token]!) : all;
  const found = [...labels.keys()].filter((token) => labels[token]! >= 0);
  const shape = [samples.length * namedPatches];
  const chosen = Array.from({ length: Math.min(shape[0]!, found.length) }, (_, i) => {
    return found[Math.floor((i * Math.max(found.length, shape[0]!)) / shape[0]!)]!;
  });
  const of = (value: (token: number) => number, rest: number): HostTensor => ({
    ...{ dtype: "int32", shape },
    data: Int32Array.from({ length: shape[0]! }, (_, i) => (i < chosen.length ? value(chosen[i]!) : rest)),
  });
  return { patch_tokens: of((token) => token, 0), patch_labels: of((token) => labels[token]!, -1) };
}

/** As the tower takes them: (b, 3, S, S), normalised. */
function pixelsOf(samples: readonly ClipSample[], { imageSize: side }: ClipSettings): HostTensor {
  const area = side * side;
  const data = new Float32Array(samples.length * 3 * area);
  for (const [i, { pixels }] of samples.entries()) {
    for (let colour = 0; colour < 3; colour++) {
      const at = (3 * i + colour) * area;
      const [mean, std] = [colours.mean[colour]!, colours.std[colour]!];
      for (let j = 0; j < area; j++) data[at + j] = (pixels[3 * j + colour]! / 255 - mean) / std;
    }
  }
  return { dtype: "float32", shape: [samples.length, 3, side, side], data };
}

const patchesSeen = 4000;

/** The start of the embedding of patches, from those of the first samples. */
function patchStart(sources: ClipSources, clip: ClipSettings): Float32Array {
  const { imageSize: side, patchSize: p, hiddenSize } = clip;
  const length = 3 * p * p;
  const patches = new Float32Array(patchesSeen * length);
  const perSide = side / p;
  for (let n = 0; n < patchesSeen; n++) {
    // One of each image: neighbours are alike.
    const { data } = pixelsOf([clipSample(sources, n)], clip) as { data: Float32Array };
    const [row, column] = [n % perSide, Math.floor(n / perSide) % perSide];
    for (let i = 0; i < length; i++) {
      const [colour, y, x] = [Math.floor(i / (p * p)), Math.floor(i / p) % p, i % p];
      patches[n * length + i] = data[(colour * side + row * p + y) * side + column * p + x]!;
    }
  }
  return principalPatches(patches, { k: length, rows: hiddenSize, seed: sources.seed });
}

const testImages = 512;

/** Shares of images whose class has the highest score, among the classes of their kind. */
async function evaluation(run: Evaluate, sources: ClipSources, clip: ClipSettings) {
  const { photographs, things, classes } = sources;
  const numbers = (names: Iterable<string>) => [...new Set(names)].map((name) => classes.get(name)!);
  const named = numbers(things.filter(({ isNamed }) => isNamed).map(({ name }) => name));
  const every = (list: ClipSources["photographs"]["test"]) => {
    const stride = Math.max(1, Math.floor(list.length / testImages));
    return list.filter((_, i) => i % stride === 0).map((each) => ofPhotograph(sources, each));
  };
  const isSmall = (kinds: ReadonlySet<string>) => photographs.test.filter(({ kind }) => kinds.has(kind));
  const scenes = (styles?: Parameters<typeof singleTestScene>[2]) =>
    Array.from({ length: testImages }, (_, i) => singleTestScene(sources, i, styles));
  const tests = [
    ["drawn", scenes(), named],
    ["openmoji", scenes(["openmoji"]), named],
  ] as [string, readonly ClipSample[], readonly number[]][];
  for (const [name, kinds] of photographKinds(photographs.test)) {
    tests.push([name, every(isSmall(kinds)), numbers(kinds)]);
  }
  const shares: Record<string, number> = {};
  for (const [name, samples, choices] of tests) {
    shares[name] = await shareRight(run, samples, choices, clip, classes.size);
  }
  return shares;
}

/** CIFAR's ten kinds have names of their own; what is left is Tiny ImageNet's. */
const cifarKinds = new Set([
  "airplane",
  "car",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
]);

function photographKinds(
  test: ClipSources["photographs"]["test"],
): (readonly [string, ReadonlySet<string>])[] {
  const kinds = new Set(test.map(({ kind }) => kind));
  const cifar = new Set([...kinds].filter((kind) => cifarKinds.has(kind)));
  const others = new Set([...kinds].filter((kind) => !cifarKinds.has(kind)));
  return (
    [
      ["cifar", cifar],
      ["tiny_imagenet", others],
    ] as const
  ).filter(([, { size }]) => size > 0);
}

async function shareRight(
  run: Evaluate,
  samples: readonly ClipSample[],
  choices: readonly number[],
  clip: ClipSettings,
  count: number,
): Promise<number> {
  let right = 0;
  for (let at = 0; at < samples.length; at += clip.batch) {
    const some = samples.slice(at, at + clip.batch);
    const { scores } = await run({ pixels: pixelsOf(some, clip) });
    const data = scores!.data as Float32Array;
    for (const [i, { label }] of some.entries()) {
      const own = data[i * count + label]!;
      if (choices.every((each) => data[i * count + each]! <= own)) right++;
    }
  }
  return right / samples.length;
}
