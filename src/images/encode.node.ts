/** Pixels → image files: JPEG and PNG, for shards of training data. */
import sharp from "sharp";
import type { RgbRaster } from "./image.js";

export interface EncodeOptions {
  readonly format: "jpeg" | "png";
  /** Of JPEG, from 1 to 100. */
  readonly quality: number;
  /** An image with a longer side is scaled down to this one, in pixels; never up. Default: as it is. */
  readonly maxSide?: number | undefined;
}

/** An image file. */
export interface Encoded {
  readonly bytes: Uint8Array;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

/**
 * Writes an image as a file, without metadata.
 *
 * A JPEG has what Pillow's `save(format="JPEG", quality=…)` gives: baseline, colours at half the resolution, standard
 * Huffman tables. It is scaled by sharp's Lanczos filter, off the main thread: what training resizes to its own size
 * needs no filter of Pillow's before.
 *
 * @example
 * const { bytes } = await encodeImage(toRgb(raster), { format: "jpeg", quality: 75 });
 */
export async function encodeImage(
  { data, width, height }: RgbRaster,
  { format, quality, maxSide }: EncodeOptions,
): Promise<Encoded> {
  const image = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (maxSide !== undefined && Math.max(width, height) > maxSide) {
    image.resize({ width: maxSide, height: maxSide, fit: "inside", withoutEnlargement: true });
  }
  if (format === "png") image.png();
  else image.jpeg({ quality, optimiseCoding: false });
  const { data: bytes, info } = await image.toBuffer({ resolveWithObject: true });
  return { bytes, width: info.width, height: info.height };
}
