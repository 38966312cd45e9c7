/** What is known of the way from images to words before any connector is trained. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FloatTensor, FloatTensors } from "../../../src/runs/runState.js";
import type { FlamingoTokenizer } from "../../../src/text/flamingoTokens.js";
import { aidName } from "../towers/clipGraph.js";
import { linearFit } from "../towers/linearFit.js";
import { readTensors } from "../towers/readTensors.js";
import { type Whitening, whitening } from "../towers/whitening.js";
import { wordlessDirection } from "../towers/wordlessDirection.js";
import { aidsPath } from "./clip.js";
import { type ClipSample, clipSample } from "./clipSamples.js";
import type { ImageMeans } from "./imageMeans.js";
import { nameEmbeddings } from "./nameEmbeddings.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** Of patches of width d and words of width w. */
export interface KnownMaps {
  /** Of the mean of an image's patches. */
  readonly whitening: Whitening;
  /** Of that mean, (w, d): its product with a name's embedding is how much an image shows of it. */
  readonly naming: Float32Array;
  /** The same: the embedding of the name. */
  readonly reading: Float32Array;
  /** By which `<image>` can be told from all words (w), of length 1. */
  readonly direction: Float32Array;
}

/**
 * *Naming*: the image encoder's training has found a map from patches to words, whose product with the embedding of a
 * name is the name's score. *Reading*: where `<image>` stands, the language model can be given what it would read if the
 * name stood there, the embedding of the name; all that it knows about words it can then do with images.
 *
 * @param embedding the language model's, (vocabulary, w)
 * @throws Error where the heads that aided the image encoder are not at hand
 */
export async function knownMaps(
  stage: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  { means, embedding }: { readonly means: ImageMeans; readonly embedding: FloatTensor },
): Promise<KnownMaps> {
  const { hiddenSize: d, cycles } = stage.settings.clip;
  const aids = await readAids(aidsPath(stage.work, cycles));
  const samples = namedSamples(stage, sources);
  const x = await means.of(samples);
  const [matrix, norm] = ["patches", "ln_patches"].map((name) => aids.get(`${aidName}.${name}.weight`)!.data);
  return {
    whitening: whitening(x, d),
    naming: matrix!.map((value, i) => value * norm![i % d]!),
    reading: await readingMap(stage, sources, tokenizer, { samples, x }),
    direction: wordlessDirection(embedding, tokenizer.special.image),
  };
}

async function readAids(path: string): Promise<FloatTensors> {
  if (existsSync(path)) return readTensors(path);
  throw new Error(
    `${path} is missing: the last cycle of the image encoder writes it, and recipes/tiny/trained has those of the weights that ship`,
  );
}

/** Images that have one name. */
function namedSamples({ settings }: Stage, sources: Sources): readonly ClipSample[] {
  const samples: ClipSample[] = [];
  for (let i = 0; samples.length < settings.connectors.mapImages; i++) {
    const sample = clipSample(sources, i);
    if (sample.label >= 0) samples.push(sample);
  }
  return samples;
}

/** From what all patches of an image show together, x (n, d), to the embedding of its name, (w, d). */
async function readingMap(
  { settings, folder }: Stage,
  sources: Sources,
  tokenizer: FlamingoTokenizer,
  { samples, x }: { readonly samples: readonly ClipSample[]; readonly x: Float32Array },
): Promise<Float32Array> {
  const names = await nameEmbeddings(join(folder, "lang"), [...sources.classes.keys()], tokenizer);
  const w = names.shape[1]!;
  const y = new Float32Array(samples.length * w);
  for (const [i, { label }] of samples.entries()) {
    y.set(names.data.subarray(label * w, (label + 1) * w), i * w);
  }
  return linearFit(x, y, { d: settings.clip.hiddenSize, w });
}
