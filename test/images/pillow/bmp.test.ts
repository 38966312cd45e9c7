/** BMP against Pillow: the files of `bmpVariants.ts`. */
import { expect, test } from "vitest";
import { decodeImage } from "../../../src/images/decode.node.js";
import { compared } from "../../parity.js";
import { rejection } from "../rejection.js";
import { bmp, bmpVariants, strideOf } from "./bmpVariants.js";
import { readResults, resultOf } from "./results.js";

const { pillow, results } = readResults("bmp");

test(`every kind of BMP, sound, odd or damaged, is read or rejected as by Pillow ${pillow}`, async () => {
  const variants = bmpVariants();
  expect(variants).toHaveLength(results.length);
  const modes = new Map<string, number>();
  for (const [i, { name, file }] of variants.entries()) {
    const wanted = results[i]!;
    expect(`${name}: ${await resultOf(file)}`).toBe(`${name}: ${wanted}`);
    const mode = wanted.split(" ")[0]!;
    modes.set(mode, 1 + (modes.get(mode) ?? 0));
  }
  for (const mode of ["1", "L", "P", "RGB", "RGBA", "rejected"]) expect(modes.get(mode)).toBeGreaterThan(30);
  compared("images/BMPs, sound, odd and damaged/Pillow", { cases: results.length, values: results.length });
});

test.each([
  ["an unknown header (60 bytes)", { header: 60 }],
  ["2 bits a pixel", { bits: 2 }],
  ["24 bits a pixel, compression 5", { compression: 5 }],
  ["16 bits a pixel, masks f00 f0 f", { bits: 16, compression: 3, masks: [0xf00, 0xf0, 0xf] }],
  ["24 bits a pixel, compression 1", { compression: 1 }],
  ["8 bits a pixel, 65537 colours", { bits: 8, colours: 65_537 }],
])("a BMP of %s is rejected by what it is", async (kind, fields) => {
  expect(await rejection(bmp({ ...fields, pixels: Array(99).fill(1) }))).toMatchObject({
    code: "image-unsupported",
    message: `the image: a BMP of ${kind}, a kind that is not read`,
  });
});

test("run lengths that fill less than the image are damaged, and take no memory for it", async () => {
  const before = process.memoryUsage.rss();
  const file = bmp({ width: 10_000, height: 10_000, bits: 8, compression: 1, pixels: [3, 7, 0, 1] });
  expect((await rejection(file)).message).toContain("this BMP of 58 bytes cannot be decoded");
  expect((process.memoryUsage.rss() - before) / 2 ** 20).toBeLessThan(50);
});

/** Rows longer than a step of the work, in which a part begins in the middle. */
test.each([1, 4, 8, 16, 24, 32])("a BMP of %i bits and 300,001 columns is read to its end", async (bits) => {
  const width = 300_001;
  const pixels = Array.from({ length: strideOf(width, bits) }, (_, i) => (i * 2654435761) >>> 24);
  const palette = Array.from({ length: bits > 8 ? 0 : 4 * 2 ** bits }, (_, i) => (7 * i) & 255);
  const { data } = await decodeImage(bmp({ width, height: 1, bits, palette, pixels }));
  const samples = (x: number): number[] => {
    const at = Math.trunc((x * bits) / 8);
    if (bits >= 24) return [2, 1, 0].map((c) => pixels[at + c]!);
    if (bits === 16) {
      const pixel = pixels[at]! + 256 * pixels[at + 1]!;
      return [10, 5, 0].map((shift) => Math.trunc((((pixel >> shift) & 31) * 255) / 31));
    }
    const number = (pixels[at]! >> (8 - bits - ((x * bits) % 8))) & (2 ** bits - 1);
    return [2, 1, 0].map((c) => palette[4 * number + c]!);
  };
  for (const x of [
    0, 1, 87_380, 87_381, 87_383, 87_384, 87_385, 87_391, 87_392, 174_767, 262_143, 262_144, 300_000,
  ]) {
    expect([x, ...data.slice(3 * x, 3 * x + 3)]).toEqual([x, ...samples(x)]);
  }
});
