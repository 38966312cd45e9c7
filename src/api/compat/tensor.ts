/** Tensors of the compatible API: what the reference implementation keeps in torch's. */
import { OpenFlamingoError } from "../../base/errors.js";

/** Numbers in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A tensor, or the promise of one: an image processor decodes while other work goes on. */
export type MaybePromise<T> = T | PromiseLike<T>;

/**
 * Images as a model takes them.
 *
 * @param images of one prompt, (3, S, S) each; or a list of them for each prompt of a batch. A prompt with fewer
 *   images than another gets images of zeros at its end, as in the reference implementation's evaluation.
 * @returns (B, T_img, F, C, H, W) with F = 1
 * @throws OpenFlamingoError `shape` for images of different shapes
 * @example
 * const visionX = await stack(images.map(imageProcessor));
 */
export async function stack(
  images: readonly MaybePromise<Tensor>[] | readonly (readonly MaybePromise<Tensor>[])[],
): Promise<Tensor> {
  const isBatch = images.some((each) => Array.isArray(each));
  const batch = (isBatch ? images : [images]) as readonly (readonly MaybePromise<Tensor>[])[];
  const rows = await Promise.all(batch.map((row) => Promise.all(row)));
  const longest = Math.max(0, ...rows.map(({ length }) => length));
  const shape = rows.flat()[0]?.shape ?? [3, 0, 0];
  const each = shape.reduce((product, size) => product * size, 1);
  const data = new Float32Array(rows.length * longest * each);
  for (const [b, row] of rows.entries()) {
    for (const [t, image] of row.entries()) {
      if (String(image.shape) !== String(shape)) {
        throw new OpenFlamingoError(
          "shape",
          `stack: an image is (${image.shape.join(", ")}), the first one (${shape.join(", ")})`,
          { hint: "Make all of them with one image processor." },
        );
      }
      data.set(image.data, (b * longest + t) * each);
    }
  }
  return { shape: [rows.length, longest, 1, ...shape], data };
}
