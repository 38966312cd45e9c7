/** What a resampler that looks everywhere alike, as `connectorsStart` makes it, sees of images: one vector of each. */
import { join } from "node:path";
import { createGraph, input, output } from "../../../src/graph/index.js";
import { trainedParameters } from "../../../src/learn/gradients.js";
import { vit } from "../../../src/models/vit.js";
import { emptyDirection, removeDirection } from "../towers/connectorsStart.js";
import { compiledTower } from "../towers/openTower.js";
import { readTensors } from "../towers/readTensors.js";
import { standardized } from "../towers/standardized.js";
import { clipFiles } from "../towers/writeTowers.js";
import { configOf } from "./clip.js";
import { pixelsOf } from "./clipBatch.js";
import type { Stage } from "./stage.js";

export interface ImageMeans {
  /** Images' pixels → (n, d), the mean of the patches of each, behind norms. */
  of(images: readonly { readonly pixels: Uint8Array }[]): Promise<Float32Array>;
  close(): Promise<void>;
}

export async function openImageMeans({
  settings: { seed, clip, vocabulary },
  folder,
  runtime,
  threads,
  signal,
}: Stage): Promise<ImageMeans> {
  const { vision } = configOf(clip, vocabulary);
  const [d, side] = [vision.hiddenSize, vision.imageSize];
  const empty = emptyDirection(d, seed);
  const graph = createGraph("patches");
  const { p, named } = trainedParameters(graph);
  const pixels = input(graph, "pixels", "float32", ["b", 3, side, side]);
  output(graph, "patches", vit(p.at("visual"), pixels, vision)); // (b, v, d)
  const weights = await readTensors(join(folder, "clip", clipFiles.weights));
  const parameters = Object.fromEntries(
    [...named.keys()].map((name) => [name, { dtype: "float32", ...weights.get(name)! } as const]),
  );
  const session = await runtime.load(compiledTower(graph), { threads, signal });
  return {
    async of(images) {
      const result = new Float32Array(images.length * d);
      for (let at = 0; at < images.length; at += clip.batch) {
        const some = images.slice(at, at + clip.batch);
        const { patches } = await session.run({ ...parameters, pixels: pixelsOf(some, clip) }, { signal });
        const data = patches!.data as Float32Array;
        const length = data.length / some.length;
        for (const i of some.keys()) {
          result.set(meanOf(data.subarray(i * length, (i + 1) * length), empty), (at + i) * d);
        }
      }
      return result;
    },
    close: () => session.close(),
  };
}

/** Tokens (v, d) → (d): each of them behind a norm, and so their mean, without what it has of the empty direction. */
function meanOf(tokens: Float32Array, empty: Float32Array): Float32Array {
  const d = empty.length;
  const mean = new Float32Array(d);
  for (let at = 0; at < tokens.length; at += d) {
    for (const [i, value] of standardized(tokens.subarray(at, at + d)).entries()) mean[i]! += value;
  }
  removeDirection(mean, empty);
  return standardized(mean);
}
