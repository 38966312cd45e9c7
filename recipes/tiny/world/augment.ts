/**
 * Random changes of images that leave what they show: for training an image encoder with fewer images than it could
 * learn by heart. A part of the image is scaled up to all of it, mirrored, its colours change, and a rectangle is erased.
 *
 * Erasing: Zhong et al., "Random Erasing Data Augmentation" (2017).
 */
import type { RandomStream } from "../../../src/base/random.js";
import { type Choices, choicesOf } from "./choices.js";
import { type Matrix, tintMatrix } from "./tint.js";

export interface Augmentation {
  /** The least share of the area that is kept. Default 0.5; 1 keeps all. */
  readonly leastArea?: number;
  /** In half of the cases. Default true; false where left and right must stay, as in "left of". */
  readonly canMirror?: boolean;
  /** How strongly colours change, from 0. Default 1: by a third in brightness and contrast, more in saturation. */
  readonly colour?: number;
  /** In what share of the cases a rectangle is erased. Default 0.25. */
  readonly erasing?: number;
}

/**
 * @param pixels red, green, blue of a square, row by row; left as they are
 * @param random where the choices come from: the same step gives the same image
 * @returns an image of the same size
 */
export function augment(
  pixels: Uint8Array,
  random: RandomStream,
  step: number,
  { leastArea = 0.5, canMirror = true, colour = 1, erasing = 0.25 }: Augmentation = {},
): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  if (!Number.isInteger(side)) throw new Error(`${pixels.length} bytes are no square of red, green and blue`);
  const choices = choicesOf(random, step);
  const crop = cropOf(side, leastArea, choices);
  const isMirrored = canMirror && choices.chance(0.5);
  const colours = colour > 0 ? coloursOf(colour, choices) : { matrix: unchanged, offset: 0 };
  const result = resample(pixels, side, crop, isMirrored, colours);
  if (choices.chance(erasing)) erase(result, side, choices);
  return result;
}

const unchanged: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];

interface ColourChange {
  readonly matrix: Matrix;
  /** Added to every channel after it. */
  readonly offset: number;
}

/** In pixels. */
interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** As torchvision's RandomResizedCrop: a share of the area, up to 4:3 in either direction. */
function cropOf(side: number, leastArea: number, choices: Choices): Box {
  const area = choices.between(leastArea, 1);
  const stretch = Math.exp(choices.between(-0.5, 0.5) * Math.log(4 / 3));
  const width = side * Math.min(1, Math.sqrt(area) * stretch);
  const height = side * Math.min(1, Math.sqrt(area) / stretch);
  return { width, height, left: choices.between(0, side - width), top: choices.between(0, side - height) };
}

function coloursOf(strength: number, choices: Choices): ColourChange {
  const around = (range: number) => 1 + strength * choices.between(-range, range);
  const contrast = around(0.3);
  const brightness = around(0.3);
  const matrix = tintMatrix({
    hue: strength * choices.between(-12, 12),
    saturation: Math.max(0, around(0.4)),
    brightness: contrast * brightness,
  });
  return { matrix, offset: 128 * (1 - contrast) };
}

/** Bilinear: a crop is never larger than the image. */
function resample(
  pixels: Uint8Array,
  side: number,
  { left, top, width, height }: Box,
  isMirrored: boolean,
  { matrix: [m0, m1, m2, m3, m4, m5, m6, m7, m8], offset }: ColourChange,
): Uint8Array {
  const result = new Uint8ClampedArray(pixels.length);
  const across = Array.from({ length: side }, (_, x) =>
    between(left + ((isMirrored ? side - 1 - x : x) + 0.5) * (width / side) - 0.5, side),
  );
  let to = 0;
  for (let y = 0; y < side; y++) {
    const [row, v] = between(top + (y + 0.5) * (height / side) - 0.5, side);
    const below = row + 1 < side ? 3 * side : 0;
    for (let x = 0; x < side; x++) {
      const [column, u] = across[x]!;
      const a = 3 * (side * row + column);
      const b = column + 1 < side ? a + 3 : a;
      const weightB = u * (1 - v);
      const weightC = v * (1 - u);
      const weightD = u * v;
      const weightA = 1 - u - weightC;
      const [c, d] = [a + below, b + below];
      const red = weightA * pixels[a]! + weightB * pixels[b]! + weightC * pixels[c]! + weightD * pixels[d]!;
      const green =
        weightA * pixels[a + 1]! +
        weightB * pixels[b + 1]! +
        weightC * pixels[c + 1]! +
        weightD * pixels[d + 1]!;
      const blue =
        weightA * pixels[a + 2]! +
        weightB * pixels[b + 2]! +
        weightC * pixels[c + 2]! +
        weightD * pixels[d + 2]!;
      result[to++] = m0 * red + m1 * green + m2 * blue + offset;
      result[to++] = m3 * red + m4 * green + m5 * blue + offset;
      result[to++] = m6 * red + m7 * green + m8 * blue + offset;
    }
  }
  return new Uint8Array(result.buffer);
}

/** The pixel before a place and how far the place lies beyond it. */
function between(place: number, side: number): readonly [pixel: number, beyond: number] {
  const kept = Math.max(0, Math.min(side - 1, place));
  return [Math.floor(kept), kept - Math.floor(kept)];
}

/** A rectangle of 4 to 20 percent of the area becomes one grey or colour. */
function erase(pixels: Uint8Array, side: number, choices: Choices): void {
  const area = choices.between(0.04, 0.2);
  const stretch = Math.exp(choices.between(-1, 1) * Math.log(2));
  const width = Math.min(side, Math.round(side * Math.sqrt(area) * stretch));
  const height = Math.min(side, Math.round((side * Math.sqrt(area)) / stretch));
  const [left, top] = [choices.below(side - width + 1), choices.below(side - height + 1)];
  const colour = [choices.below(256), choices.below(256), choices.below(256)];
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) pixels.set(colour, 3 * (side * y + x));
  }
}
