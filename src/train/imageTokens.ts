/** What a step takes of a batch's images: their pixels, or what the vision encoder made of them before. */
import type { CollatedBatch } from "../data/batch.js";
import type { TrainingBatch, TrainingImages } from "../learn/batch.js";
import type { FeatureCache } from "./featureCache.node.js";

/**
 * A batch of the data as a step takes it.
 *
 * @param images what the vision encoder made of them; their own pixels when left out
 */
export const stepBatch = (
  batch: CollatedBatch,
  images: TrainingImages = { pixels: ownPixels(batch) },
): TrainingBatch => ({
  ids: batch.ids,
  shape: [batch.sizes.b, batch.sizes.t],
  attentionMask: batch.attentionMask,
  labels: batch.labels,
  imagesOfRows: batch.imageCounts,
  imagesPerRow: batch.sizes.T,
  images,
});

/** float32 (N, 3, S, S): the images of all rows, one row's after the other's. */
export function ownPixels({ sizes: { T, S }, images, imageCounts }: CollatedBatch): Float32Array {
  if (imageCounts.every((count) => count === T)) return images;
  const perImage = 3 * S * S;
  const own = new Float32Array(perImage * imageCounts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  imageCounts.forEach((count, row) => {
    own.set(images.subarray(row * T * perImage, (row * T + count) * perImage), at);
    at += count * perImage;
  });
  return own;
}

/**
 * What the vision encoder makes of pixels (N, 3, S, S), from the cache where it has it.
 *
 * @param keyOf a digest of an image's pixels, in hexadecimal digits
 */
export async function cachedTokens(
  pixels: Float32Array,
  size: number,
  {
    cache,
    keyOf,
    encode,
  }: {
    readonly cache: FeatureCache;
    readonly keyOf: (pixels: Float32Array) => string;
    readonly encode: (pixels: Float32Array) => Promise<Float32Array>;
  },
): Promise<Float32Array> {
  const perImage = 3 * size * size;
  const images = Array.from({ length: pixels.length / perImage }, (_, i) =>
    pixels.subarray(i * perImage, (i + 1) * perImage),
  );
  const tokens: Float32Array[] = [];
  for (const image of images) {
    const key = keyOf(image);
    const found = await cache.get(key);
    const made = found ?? (await encode(image));
    if (!found) await cache.put(key, made);
    tokens.push(made);
  }
  const length = tokens[0]?.length ?? 0;
  const all = new Float32Array(tokens.length * length);
  tokens.forEach((each, i) => {
    all.set(each, i * length);
  });
  return all;
}
