/** Tensors of the compatible API: what OpenFlamingo (Python) keeps in torch's. */
import { OpenFlamingoError } from "../../base/errors.js";
import { quoted } from "../../base/quoted.js";

/** Numbers in row-major order. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A value, or the promise of one: an image processor decodes while other work goes on. */
export type MaybePromise<T> = T | PromiseLike<T>;

/**
 * Images as a model takes them.
 *
 * @param images of one prompt, (3, S, S) each; or a list of them for each prompt of a batch. A prompt with fewer images
 *   than another gets images of zeros at its end, as in OpenFlamingo's evaluation.
 * @returns (B, T_img, F, C, H, W) with F = 1
 * @throws OpenFlamingoError `shape` for images of different shapes, or of another rank
 * @example
 * const visionX = await stack(images.map(imageProcessor));
 */
export async function stack(
  images: readonly MaybePromise<TensorData>[] | readonly (readonly MaybePromise<TensorData>[])[],
): Promise<TensorData> {
  const isBatch = Array.isArray(images) && images.some((each) => Array.isArray(each));
  const batch = (isBatch ? images : [images]) as readonly (readonly MaybePromise<TensorData>[])[];
  if (!batch.every((row) => Array.isArray(row))) {
    throw new OpenFlamingoError("usage", "stack: it takes a list of images, or a list of such lists", {
      hint: "stack(images.map(imageProcessor))",
    });
  }
  const rows = await Promise.all(batch.map((row) => Promise.all(row)));
  const longest = Math.max(0, ...rows.map(({ length }) => length));
  const all: readonly TensorData[] = rows.flat();
  for (const image of all) requireImage(image, all[0]!);
  const shape = all[0]?.shape ?? [3, 0, 0];
  const each = shape.reduce((product, size) => product * size, 1);
  const data = new Float32Array(rows.length * longest * each);
  for (const [b, row] of rows.entries()) {
    for (const [t, image] of row.entries()) data.set(image.data, (b * longest + t) * each);
  }
  return { shape: [rows.length, longest, 1, ...shape], data };
}

function requireImage(image: TensorData, first: TensorData): void {
  const wrong = (what: string, hint: string) =>
    new OpenFlamingoError("shape", `stack: an image is ${what}`, { hint });
  if (!Array.isArray(image?.shape) || !(image.data instanceof Float32Array)) {
    throw wrong(`${quoted(image)}; it must be a tensor { shape, data }`, "Make it with an image processor.");
  }
  const shown = `(${image.shape.join(", ")})`;
  if (image.shape.length !== 3) {
    throw wrong(
      `of shape ${shown}; it must be (3, S, S)`,
      "Give images of an image processor, not stacked ones.",
    );
  }
  if (String(image.shape) !== String(first.shape)) {
    throw wrong(
      `${shown}, the first one (${first.shape.join(", ")})`,
      "Make all of them with one image processor.",
    );
  }
}
