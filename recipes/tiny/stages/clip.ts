/** The third stage: an image tower, and a text tower to learn it with, CLIP's form. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FloatTensors } from "../../../src/runs/runState.js";
import type { HostTensor } from "../../../src/runtime/hostTensor.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import type { ClipSettings } from "../settings.js";
import { type ClipConfig, clampLogitScale, clipGraph, imageGraph } from "../towers/clipGraph.js";
import { initialClip } from "../towers/initialTower.js";
import { readTensors, startFrom } from "../towers/readTensors.js";
import { type Evaluate, trainTower } from "../towers/trainTower.js";
import { clipFiles, writeAids, writeClip } from "../towers/writeTowers.js";
import { clipBatch, colours, patchStart, pixelsOf } from "./clipBatch.js";
import { type ClipSample, ofPhotograph, singleTestScene } from "./clipSamples.js";
import { nameEmbeddings } from "./nameEmbeddings.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** @returns whether it is trained to its end */
export async function makeClip(
  stage: Stage,
  sources: Sources,
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
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  { number, from, output }: Cycle,
): Promise<boolean> {
  const { settings, work, folder, runtime, threads, tell } = stage;
  const { seed, clip, vocabulary } = settings;
  const { cycles: _, evaluateEvery, checkpointEvery, ...numbers } = clip;
  const { classes } = sources;
  const names = await nameEmbeddings(join(folder, "lang"), [...classes.keys()], tokenizer);
  const config = configOf(clip, vocabulary);
  const training = {
    ...{ classes: { count: classes.size, weight: 1 }, patches: { weight: 1, width: names.shape[1]! } },
    ...{ ignoreSameTexts: true, keptPatches: clip.keptPatches },
  };
  const scores = imageGraph(config, classes.size, names.shape[1]);
  const fresh = initialClip({
    ...{ seed, config, sinusoidalPositions: { vision: 0.5, text: 0.01 } },
    patchEmbedding: patchStart(sources, clip),
  });
  const trained = await trainTower({
    ...{ runtime, threads, signal: stage.signal, stopAfterSeconds: stage.stopAfterSeconds },
    program: clipGraph(config, training),
    initial: from === undefined ? fresh : startFrom(await readCycle(work, number - 1, from), fresh),
    folder: join(work, `clip-${number}`),
    settings: { seed, ...numbers, vocabulary, classes: classes.size, ...(number > 1 && { cycle: number }) },
    ...{ steps: clip.steps, learningRate: clip.learningRate, averageDecay: 0.999 },
    batchAt: (step) => ({
      ...clipBatch(sources, clip, tokenizer, (number - 1) * clip.steps + step),
      names,
    }),
    afterStep: (parameter) => clampLogitScale(parameter("logit_scale")),
    ...{ evaluateEvery, checkpointEvery },
    evaluate: async (load) => evaluation(await load(scores), sources, clip, names),
    onProgress: ({ step, steps, values, seconds, waited, evaluation: found }) => {
      if (!found && step % 20 !== 0) return;
      const losses = ["contrastive", "classification", "patches", "means"].map(
        (name) => `${name} ${values[name]!.toFixed(3)}`,
      );
      const time = `${seconds.toFixed(2)} s (${waited.toFixed(2)})`;
      const more = found ? ` ${JSON.stringify(found)}` : "";
      tell(`clip-${number} ${step}/${steps} ${losses.join(" ")} ${time}${more}`);
    },
  });
  if (!trained.isDone) return false;
  const tensors = trained.average ?? trained.parameters;
  await writeAids(aidsPath(work, number), tensors, "float16");
  await writeClip(output, { config, tensors, colours, dtype: "float16" });
  return true;
}

/** The heads that aided a cycle: what the next one and the connectors start from. */
export const aidsPath = (work: string, cycle: number): string =>
  join(work, `clip-${cycle}`, "aids.safetensors");

/** Its weights, and its heads where they are at hand. */
async function readCycle(work: string, cycle: number, weights: string): Promise<FloatTensors> {
  const aids = aidsPath(work, cycle);
  return new Map([
    ...(await readTensors(join(weights, clipFiles.weights))),
    ...(existsSync(aids) ? await readTensors(aids) : []),
  ]);
}

export function configOf(clip: ClipSettings, vocabulary: number): ClipConfig {
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

const testImages = 512;

/** Shares of images whose class has the highest score, among the classes of their kind: by class token, and by patches. */
async function evaluation(run: Evaluate, sources: Sources, clip: ClipSettings, names: HostTensor) {
  const { photographs, things, classes } = sources;
  const numbers = (names: Iterable<string>) => [...new Set(names)].map((name) => classes.get(name)!);
  const named = numbers(things.filter(({ isNamed }) => isNamed).map(({ name }) => name));
  const every = (list: Sources["photographs"]["test"]) => {
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
    const right = await countRight(run, samples, choices, clip, { names, count: classes.size });
    shares[name] = right.scores / samples.length;
    shares[`${name} by patches`] = right.means / samples.length;
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

function photographKinds(test: Sources["photographs"]["test"]): (readonly [string, ReadonlySet<string>])[] {
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

async function countRight(
  run: Evaluate,
  samples: readonly ClipSample[],
  choices: readonly number[],
  clip: ClipSettings,
  { names, count }: { readonly names: HostTensor; readonly count: number },
) {
  const right = { scores: 0, means: 0 };
  for (let at = 0; at < samples.length; at += clip.batch) {
    const some = samples.slice(at, at + clip.batch);
    const found = await run({ pixels: pixelsOf(some, clip), names });
    for (const by of ["scores", "means"] as const) {
      const data = found[by]!.data as Float32Array;
      for (const [i, { label }] of some.entries()) {
        const own = data[i * count + label]!;
        if (choices.every((each) => data[i * count + each]! <= own)) right[by]++;
      }
    }
  }
  return right;
}
