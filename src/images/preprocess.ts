/**
 * From a decoded image to what the vision tower sees: resize, centre crop, convert to RGB, normalise.
 *
 * Reference: open_clip 2.20.0 `image_transform(size, is_train=False)` on Pillow and torchvision 0.15.2. Its
 * order matters: resize and crop happen in the file's own mode, RGB comes after. EXIF turns nothing.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { toRgb } from "./convert.js";
import type { Raster, RgbRaster } from "./image.js";
import { type Box, resize, resizing, type Size } from "./resize.js";
import { inTurns } from "./turns.js";

/** What a vision tower expects: CLIP's open_clip config has it as `image_size` and `preprocess_cfg`. */
export interface Preprocessing {
  /** Side of the square in pixels. */
  readonly size: number;
  /** Of red, green and blue, on a scale from 0 to 1. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/**
 * The image as float32 [3, size, size], bit for bit the reference implementation's for evaluation and direct use.
 *
 * The reference implementation's training data is turned into RGB first, which gives other values for palettes, alpha,
 * CMYK, black and white, and grey in 16 bits or float: `preprocess(toRgb(raster), …)`.
 *
 * @example
 * const pixels = preprocess(await decodeImage("cat.jpg"), { size: 224, mean, std });
 */
export function preprocess(raster: Raster, { size, mean, std }: Preprocessing): Float32Array {
  const { resized, kept } = centreCrop(raster, size);
  const square = toRgb(resize(raster, resized, kept));
  return normalize(square, mean, std);
}

/**
 * The long part of `preprocess`, in turns with others: resize and crop. `preprocess` gives the same for what comes
 * out as for the image, and has little left to do.
 *
 * @param size side of the square in pixels
 * @throws the signal's reason
 * @example
 * const pixels = preprocess(await toSquare(raster, 224), { size: 224, mean, std });
 */
export async function toSquare(
  raster: Raster,
  size: number,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<Raster> {
  const { resized, kept } = centreCrop(raster, size);
  return inTurns(resizing(raster, resized, kept), signal);
}

/** Pillow's sides are 32-bit numbers: the reference implementation rejects such an image too. */
const longestSide = 2 ** 31 - 1;

/** The size an image is resized to, its shorter side to `size`, and the square kept of its middle. */
export function centreCrop({ width, height }: Size, size: number): { resized: Size; kept: Box } {
  const longer = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  if (longer > longestSide) {
    const sides = `${count(width)} × ${count(height)}`;
    throw new OpenFlamingoError(
      "image-unsupported",
      `the image: ${sides} pixels scaled to ${size} make ${count(longer)} on the longer side`,
      { hint: `At most ${count(longestSide)} are possible: cut the image to a less narrow part.` },
    );
  }
  const resized = width <= height ? { width: size, height: longer } : { width: longer, height: size };
  const left = halfToEven(resized.width - size);
  const top = halfToEven(resized.height - size);
  return { resized, kept: { left, top, width: size, height: size } };
}

const count = (n: number): string => n.toLocaleString("en-US");

/** n / 2 as Python rounds it: halves go to the even number. */
function halfToEven(n: number): number {
  const down = Math.floor(n / 2);
  return n % 2 === 0 ? down : down + (down % 2);
}

/** (v / 255 − mean) / std, each step rounded to float32: pixels of three samples → three planes. */
function normalize(
  { data }: RgbRaster,
  mean: Preprocessing["mean"],
  std: Preprocessing["std"],
): Float32Array {
  const pixels = data.length / 3;
  const planes = new Float32Array(data.length);
  const values = new Float32Array(256);
  for (const channel of [0, 1, 2] as const) {
    const [m, s] = [Math.fround(mean[channel]), Math.fround(std[channel])];
    for (let v = 0; v < 256; v++) values[v] = Math.fround(Math.fround(v / 255) - m) / s;
    const plane = planes.subarray(channel * pixels, (channel + 1) * pixels);
    for (let i = 0; i < pixels; i++) plane[i] = values[data[3 * i + channel]!]!;
  }
  return planes;
}
