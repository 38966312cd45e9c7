/** What is known of the way from images to words before connectors are trained. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createGraph, input, output } from "../../../src/graph/index.js";
import { trainedParameters } from "../../../src/learn/gradients.js";
import { vit } from "../../../src/models/vit.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { aidName } from "../towers/clipGraph.js";
import type { KnownMaps } from "../towers/connectorsStart.js";
import { linearFit } from "../towers/linearFit.js";
import { compiledTower } from "../towers/openTower.js";
import { readTensors } from "../towers/readTensors.js";
import { standardized } from "../towers/standardized.js";
import { clipFiles, languageFiles } from "../towers/writeTowers.js";
import { aidsPath, configOf } from "./clip.js";
import { pixelsOf } from "./clipBatch.js";
import { type ClipSample, clipSample } from "./clipSamples.js";
import { nameEmbeddings } from "./nameEmbeddings.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** @throws Error where the heads that aided the image encoder are not at hand */
export async function knownMaps(
  stage: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
): Promise<KnownMaps> {
  const { folder, work, settings } = stage;
  const path = aidsPath(work, settings.clip.cycles);
  if (!existsSync(path)) {
    throw new Error(
      `${path} is missing: the last cycle of the image encoder writes it, and recipes/tiny/trained has those of the weights that ship`,
    );
  }
  const aids = await readTensors(path);
  const [matrix, norm] = ["patches", "ln_patches"].map((name) => aids.get(`${aidName}.${name}.weight`)!.data);
  const d = settings.clip.hiddenSize;
  const language = await readTensors(join(folder, "lang", languageFiles.weights));
  return {
    naming: matrix!.map((value, i) => value * norm![i % d]!),
    reading: await readingMap(stage, sources, tokenizer),
    embedding: language.get("transformer.wte.weight")!,
    image: tokenizer.special.image,
  };
}

/** From what all patches of an image show together to the embedding of its name, (w, d). */
async function readingMap(stage: Stage, sources: Sources, tokenizer: FlamingoTokenizer) {
  const { folder, settings } = stage;
  const { clip, connectors } = settings;
  const names = await nameEmbeddings(join(folder, "lang"), [...sources.classes.keys()], tokenizer);
  const w = names.shape[1]!;
  const samples: ClipSample[] = [];
  for (let i = 0; samples.length < connectors.mapImages; i++) {
    const sample = clipSample(sources, i);
    if (sample.label >= 0) samples.push(sample);
  }
  const y = new Float32Array(samples.length * w);
  for (const [i, { label }] of samples.entries())
    y.set(names.data.subarray(label * w, (label + 1) * w), i * w);
  return linearFit(await meansOf(stage, samples), y, { d: clip.hiddenSize, w });
}

/** What a resampler that looks everywhere alike sees of each image, behind its norm: (n, d) */
async function meansOf(
  { settings: { clip, vocabulary }, folder, runtime, threads, signal }: Stage,
  samples: readonly ClipSample[],
): Promise<Float32Array> {
  const { vision } = configOf(clip, vocabulary);
  const [d, side] = [vision.hiddenSize, vision.imageSize];
  const graph = createGraph("patches");
  const { p, named } = trainedParameters(graph);
  const pixels = input(graph, "pixels", "float32", ["b", 3, side, side]);
  output(graph, "patches", vit(p.at("visual"), pixels, vision)); // (b, v, d)
  const weights = await readTensors(join(folder, "clip", clipFiles.weights));
  const parameters = Object.fromEntries(
    [...named.keys()].map((name) => [name, { dtype: "float32", ...weights.get(name)! } as const]),
  );
  const session = await runtime.load(compiledTower(graph), { threads, signal });
  const result = new Float32Array(samples.length * d);
  try {
    for (let at = 0; at < samples.length; at += clip.batch) {
      const some = samples.slice(at, at + clip.batch);
      const { patches } = await session.run({ ...parameters, pixels: pixelsOf(some, clip) }, { signal });
      const data = patches!.data as Float32Array;
      const length = data.length / some.length;
      for (const i of some.keys()) {
        result.set(meanOf(data.subarray(i * length, (i + 1) * length), d), (at + i) * d);
      }
    }
  } finally {
    await session.close();
  }
  return result;
}

/** Tokens (v, d) → (d), each of them and their mean behind a norm. */
function meanOf(tokens: Float32Array, d: number): Float32Array {
  const mean = new Float32Array(d);
  for (let at = 0; at < tokens.length; at += d) {
    for (const [i, value] of standardized(tokens.subarray(at, at + d)).entries()) mean[i]! += value;
  }
  return standardized(mean);
}
