/**
 * Handwritten characters: Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic program
 * induction" (Science, 2015).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { photographSide } from "./decodedImages.node.js";

export interface Character {
  /** Black on white: red, green, blue of 64 × 64 pixels. They are made when they are asked for, each time anew. */
  readonly pixels: Uint8Array;
  /** The same for all drawings of a character: "Greek 3". */
  readonly kind: string;
  readonly alphabet: string;
  /** Who drew it, from 0 to 19. */
  readonly drawer: number;
}

interface Description {
  readonly height: number;
  readonly width: number;
  readonly row_bytes: number;
  readonly image_bytes: number;
  readonly drawers: number;
  readonly classes: readonly (readonly [alphabet: string, character: number, file: number])[];
}

/**
 * @param folder with `background.json`, `background.bin.gz`, and `evaluation` of both
 * @param set "background" is for training, "evaluation" has other alphabets
 * @returns all drawings of a character, then those of the next; none where there is no such file
 */
export async function omniglot(
  folder: string,
  set: "background" | "evaluation",
): Promise<readonly Character[]> {
  const files = [`${set}.json`, `${set}.bin.gz`].map((name) => readFile(join(folder, name)));
  const read = await Promise.all(files).catch(() => undefined);
  if (!read) return [];
  const described = JSON.parse(read[0]!.toString("utf8")) as Description;
  const bits = gunzipSync(read[1]!);
  return described.classes.flatMap(([alphabet, character], kind) =>
    Array.from({ length: described.drawers }, (_, drawer) => {
      const start = described.image_bytes * (described.drawers * kind + drawer);
      const drawing = bits.subarray(start, start + described.image_bytes);
      return {
        kind: `${alphabet} ${character}`,
        alphabet,
        drawer,
        get pixels() {
          return scaled(drawing, described);
        },
      };
    }),
  );
}

/** Each pixel is the mean of its area, so that thin lines stay whole. */
function scaled(drawing: Uint8Array, { width, height, row_bytes }: Description): Uint8Array {
  const ink = new Float32Array(photographSide ** 2);
  const most = (photographSide / width) * (photographSide / height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!(drawing[row_bytes * y + (x >> 3)]! & (0x80 >> (x & 7)))) continue;
      for (const [row, down] of shares(y, height)) {
        for (const [column, across] of shares(x, width)) {
          ink[photographSide * row + column]! += most * down * across;
        }
      }
    }
  }
  const pixels = new Uint8Array(3 * ink.length);
  ink.forEach((share, i) => {
    pixels.fill(Math.round(255 * (1 - Math.min(1, share))), 3 * i, 3 * i + 3);
  });
  return pixels;
}

/** On which of the smaller image's pixels a pixel falls, and how much of it on each. */
function shares(at: number, length: number): (readonly [number, number])[] {
  const [start, end] = [(at * photographSide) / length, ((at + 1) * photographSide) / length];
  const first = Math.floor(start);
  const inFirst = Math.min(1, (first + 1 - start) / (end - start));
  return inFirst > 0.999 || first + 1 === photographSide
    ? [[first, 1]]
    : [
        [first, inFirst],
        [first + 1, 1 - inFirst],
      ];
}
