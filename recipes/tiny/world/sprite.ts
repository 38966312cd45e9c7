/** A drawing of a thing as pixels, and its smaller copies. */
import type { Colour, Style, Thing } from "./scene.js";

/** The side of a sprite in pixels. */
export const spriteSide = 96;

/**
 * Red, green, blue and alpha, colours multiplied by alpha, row by row, with a border of one transparent pixel all
 * around, so that whoever looks between pixels need not ask whether there are any: (side + 2)² pixels.
 */
export interface Level {
  readonly side: number;
  readonly data: Uint8Array;
}

/** The thing reaches from edge to edge in its longer direction and stands in the middle in the other. */
export interface Sprite {
  /** From the largest down, each of half the side. */
  readonly levels: readonly Level[];
  /** The mean colour of its outermost opaque pixels: what must stand out from a background. */
  readonly edge: Colour;
}

export interface Sprites {
  /** @throws Error where nobody drew the thing in that style */
  get(thing: Thing, style: Style): Sprite;
}

/**
 * @param pixels of a sprite without a border
 * @returns it and its smaller copies, each the mean of every four pixels, as long as the side is even and above 12
 */
export function levelsOf(pixels: Uint8Array): readonly Level[] {
  const levels = [bordered(spriteSide, pixels)];
  for (let last = levels[0]!; last.side % 2 === 0 && last.side > 12; last = levels.at(-1)!)
    levels.push(halved(last));
  return levels;
}

function bordered(side: number, pixels: Uint8Array): Level {
  const data = new Uint8Array(4 * (side + 2) ** 2);
  for (let y = 0; y < side; y++)
    data.set(pixels.subarray(4 * side * y, 4 * side * (y + 1)), 4 * ((side + 2) * (y + 1) + 1));
  return { side, data };
}

function halved({ side, data }: Level): Level {
  const small = side / 2;
  const result = new Uint8Array(4 * (small + 2) ** 2);
  const row = 4 * (side + 2);
  for (let y = 0; y < small; y++) {
    for (let x = 0; x < small; x++) {
      for (let channel = 0; channel < 4; channel++) {
        const at = row * (2 * y + 1) + 4 * (2 * x + 1) + channel;
        const sum = data[at]! + data[at + 4]! + data[at + row]! + data[at + row + 4]!;
        result[4 * ((small + 2) * (y + 1) + x + 1) + channel] = (sum + 2) >> 2;
      }
    }
  }
  return { side: small, data: result };
}

/** Of the smallest copy but one, where an outline is a pixel wide or so. */
export function edgeColour(levels: readonly Level[]): Colour {
  const { side, data } = levels[Math.max(0, levels.length - 2)]!;
  const at = (x: number, y: number) => 4 * ((side + 2) * (y + 1) + x + 1);
  const alpha = (x: number, y: number) => data[at(x, y) + 3]!;
  const sum: [number, number, number] = [0, 0, 0];
  let weight = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const own = alpha(x, y);
      const isEdge =
        own > 64 && Math.min(alpha(x - 1, y), alpha(x + 1, y), alpha(x, y - 1), alpha(x, y + 1)) < 128;
      if (!isEdge) continue;
      weight += own;
      for (const channel of [0, 1, 2] as const) sum[channel] += data[at(x, y) + channel]!;
    }
  }
  const [red, green, blue] = sum.map((each) => Math.round((255 * each) / Math.max(weight, 1))) as [
    number,
    number,
    number,
  ];
  return [red, green, blue];
}
