/** Kinds of GIF, TIFF and BMP beside those of the goldens. What comes out is what Pillow 12.3.0 gives. */
import sharp from "sharp";
import { expect, test } from "vitest";
import { decodeImage } from "../../src/images/decode.node.js";
import { readGif } from "../../src/images/gif.js";
import { resize } from "../../src/images/resize.js";
import { atOnce } from "../../src/images/turns.js";
import { grey, rejection } from "./rejection.js";

/** A BMP of 3 × 2 pixels: header, table, rows as given. */
function bmp(bits: number, rows: number[], { height = 2, table = [] as number[], compression = 0 } = {}) {
  const file = new Uint8Array(54 + table.length + rows.length);
  const view = new DataView(file.buffer);
  file.set([0x42, 0x4d]);
  view.setUint32(10, 54 + table.length, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, 3, true);
  view.setInt32(22, height, true);
  view.setUint16(28, bits, true);
  view.setUint32(30, compression, true);
  view.setUint32(46, table.length / 4, true);
  file.set([...table, ...rows], 54);
  return file;
}

test("a BMP of 24 bits is padded rows of blue, green and red, from below or from above", async () => {
  const [lower, upper] = [
    [3, 2, 1, 6, 5, 4, 9, 8, 7],
    [13, 12, 11, 16, 15, 14, 19, 18, 17],
  ];
  const rows = [...lower, 0, 0, 0, ...upper, 0, 0, 0];
  const colours = [11, 12, 13, 14, 15, 16, 17, 18, 19, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  expect(await decodeImage(bmp(24, rows))).toEqual({
    mode: "RGB",
    width: 3,
    height: 2,
    data: Uint8Array.from(colours),
  });
  const fromAbove = await decodeImage(bmp(24, rows, { height: -2 }));
  expect([...fromAbove.data]).toEqual([...colours.slice(9), ...colours.slice(0, 9)]);
});

test("the fourth byte of a BMP of 32 bits is no alpha", async () => {
  const rows = [3, 2, 1, 0, 6, 5, 4, 0, 9, 8, 7, 0];
  const { mode, data } = await decodeImage(bmp(32, rows, { height: 1 }));
  expect([mode, ...data]).toEqual(["RGB", 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a BMP whose table is the greys in order is grey, any other a palette", async () => {
  const rows = [2, 1, 0, 0];
  const greys = bmp(8, rows, { height: 1, table: [0, 0, 0, 0, 1, 1, 1, 0, 2, 2, 2, 0] });
  expect(await decodeImage(greys)).toMatchObject({ mode: "L", data: Uint8Array.of(2, 1, 0) });
  const colours = bmp(8, rows, { height: 1, table: [0, 0, 9, 0, 1, 1, 1, 0, 2, 2, 2, 0] });
  const data = Uint8Array.of(2, 2, 2, 1, 1, 1, 9, 0, 0);
  expect(await decodeImage(colours)).toMatchObject({ mode: "P", data });
});

test("a BMP cut off, or of a kind that is not read, is rejected", async () => {
  const whole = bmp(32, Array(24).fill(1));
  for (let length = 2; length < whole.length; length++) {
    expect(await rejection(whole.subarray(0, length))).toMatchObject({ code: "image-unreadable" });
  }
  expect(await rejection(bmp(8, [], { compression: 4 }))).toMatchObject({
    code: "image-unsupported",
    message: "the image: a BMP of 8 bits a pixel, compression 4, a kind that is not read",
  });
  expect((await rejection(bmp(2, []))).message).toContain("a BMP of 2 bits a pixel, a kind that is not read");
});

const [red, green, blue, white] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
] as const;

/** A GIF of 3 × 1 pixels and four colours: an image of one entry in its middle. */
function gif(
  entry: number,
  transparent?: number,
  table: readonly number[] = [red, green, blue, white].flat(),
) {
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  const codes = 4 | (entry << 3) | (5 << 6); // clear, the pixel, end: three bits each
  const image = [0x2c, 1, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, codes & 255, codes >> 8, 0];
  const header = [...new TextEncoder().encode("GIF89a"), 3, 0, 1, 0, 0x81, 0, 0];
  return Uint8Array.from([...header, ...table, ...control, ...image, 0x3b]);
}

test("what a GIF leaves empty has the colour of its transparent entry, or of the first", async () => {
  const colours = async (file: Uint8Array) => [...(await decodeImage(file)).data];
  expect(await colours(gif(2))).toEqual([red, blue, red].flat());
  expect(await colours(gif(2, 1))).toEqual([green, blue, green].flat());
  expect(await colours(gif(1, 1))).toEqual([green, green, green].flat());
});

test("a GIF has the size of its canvas, or of what goes beyond it, and its first image alone counts", async () => {
  const file = (width: number, height: number, ...more: number[]) => {
    const made = Uint8Array.from([...gif(2).slice(0, -1), ...more, 0x3b]);
    made.set([width & 255, width >> 8, height & 255, height >> 8], 6);
    return made;
  };
  // sharp would take the size of the image for that of such a canvas.
  const { data, ...size } = await decodeImage(file(640, 480));
  expect(size).toEqual({ mode: "P", width: 640, height: 480 });
  expect([...data.subarray(0, 9)]).toEqual([red, blue, red].flat());
  expect(new Set(data.subarray(9))).toEqual(new Set([0, 255]));
  expect(await decodeImage(file(1, 0))).toMatchObject({ width: 2, height: 1 });
  const larger = [0x2c, 0, 0, 0, 0, 9, 0, 9, 0, 0, 2, 2, 0x44, 1, 0];
  expect(await decodeImage(file(3, 1, ...larger))).toEqual(await decodeImage(gif(2)));
  expect(atOnce(readGif(file(3, 1, ...larger))).first).toEqual(gif(2).slice(0, -1));
});

test("a GIF whose table is the greys in order is grey", async () => {
  const greys = gif(2, 3, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
  expect(await decodeImage(greys)).toMatchObject({ mode: "L", data: Uint8Array.of(3, 2, 3) });
});

test("a TIFF is turned upright, and no other format", async () => {
  const turned = sharp(grey).withMetadata({ orientation: 6 });
  const size = async (file: Buffer) => {
    const { width, height } = await decodeImage(new Uint8Array(file));
    return [width, height];
  };
  expect(await size(await turned.clone().tiff().toBuffer())).toEqual([5, 7]);
  expect(await size(await turned.clone().jpeg().toBuffer())).toEqual([7, 5]);
});

/** An uncompressed TIFF of 2 × 1 pixels: tags (all of 16 bits) by their numbers, and samples. */
function tiff(tags: { [tag: number]: number }, samples: number[], littleEndian = true) {
  const start = 8 + 2 + 12 * (7 + Object.keys(tags).length) + 4; // of the samples; seven tags are common
  const all = { 256: 2, 257: 1, 259: 1, 273: start, 278: 1, 279: samples.length, 277: 1, ...tags };
  const entries = Object.entries(all);
  const file = new Uint8Array(start + samples.length);
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode(littleEndian ? "II" : "MM"));
  view.setUint16(2, 42, littleEndian);
  view.setUint32(4, 8, littleEndian);
  view.setUint16(8, entries.length, littleEndian);
  for (const [i, [tag, value]] of entries.entries()) {
    view.setUint16(10 + 12 * i, Number(tag), littleEndian);
    view.setUint16(12 + 12 * i, 3, littleEndian);
    view.setUint32(14 + 12 * i, 1, littleEndian);
    view.setUint16(18 + 12 * i, value, littleEndian);
  }
  file.set(samples, start);
  return file;
}

test("a TIFF of either byte order is read, and white may be 0", async () => {
  for (const littleEndian of [true, false]) {
    const [one, two] = littleEndian ? [1, 0] : [0, 1];
    expect(await decodeImage(tiff({ 258: 16, 262: 1 }, [one, two, one, two], littleEndian))).toEqual({
      mode: littleEndian ? "I;16" : "I;16B",
      width: 2,
      height: 1,
      data: Uint16Array.of(1, 1),
    });
    const inverted = await decodeImage(tiff({ 258: 8, 262: 0 }, [0, 250], littleEndian));
    expect(inverted).toMatchObject({ mode: "L", data: Uint8Array.of(255, 5) });
    const bilevel = await decodeImage(tiff({ 258: 1, 262: 0 }, [0b10_000000], littleEndian));
    expect(bilevel).toMatchObject({ mode: "1", data: Uint8Array.of(0, 255) });
  }
});

test("big-endian grey of 16 bits is resized to what Pillow makes of it", async () => {
  const samples = [300, 2, 70, 40_000, 5, 65_535].flatMap((value) => [value >> 8, value & 255]);
  const raster = await decodeImage(tiff({ 256: 6, 258: 16, 262: 1 }, samples, false));
  expect(raster.mode).toBe("I;16B");
  // Pillow 12.3.0: Image.resize to 4 × 1 and to 9 × 1 with BICUBIC.
  expect([...resize(raster, { width: 4, height: 1 }).data]).toEqual([17690, 59439, 10534, 36262]);
  expect([...resize(raster, { width: 9, height: 1 }).data]).toEqual([
    50222, 15636, 53511, 42045, 18507, 14390, 0, 24710, 65535,
  ]);
});

test.each([
  ["1 × 16 bits a pixel (signed grey)", { 258: 16, 262: 1, 339: 2 }],
  ["1 × 16 bits a pixel (grey, white is 0)", { 258: 16, 262: 0 }], // Pillow takes white for black
  ["1 × 32 bits a pixel (grey)", { 258: 32, 262: 1 }],
  ["1 × 12 bits a pixel (grey)", { 258: 12, 262: 1 }],
  ["1 × 64 bits a pixel (float grey)", { 258: 64, 262: 1, 339: 3 }],
  ["1 × 16 bits a pixel (float grey)", { 258: 16, 262: 1, 339: 3 }],
  ["3 × 12 bits a pixel (RGB)", { 258: 12, 262: 2, 277: 3 }],
  ["3 × 8 bits a pixel (CIE L*a*b*)", { 258: 8, 262: 8, 277: 3 }],
  ["3 × 8 bits a pixel (YCbCr)", { 258: 8, 262: 6, 277: 3 }],
  ["1 × 8 bits a pixel (photometric 32803)", { 258: 8, 262: 32803 }],
  ["1 × 8 bits a pixel (grey), compressed with Zstandard", { 258: 8, 262: 1, 259: 50_000 }],
  ["3 × 16 bits a pixel (RGB), compressed with LZMA", { 258: 16, 262: 2, 277: 3, 259: 34_925 }],
  ["1 × 12 bits a pixel (grey), compressed with LZW", { 258: 12, 262: 1, 259: 5 }],
  ["3 × 8 bits a pixel (RGB), compressed with WebP", { 258: 8, 262: 2, 277: 3, 259: 50_001 }],
  ["3 × 8 bits a pixel (RGB), compressed with method 12345", { 258: 8, 262: 2, 277: 3, 259: 12_345 }],
])("a TIFF of %s, not Pillow's pixel for pixel, is rejected by what it is", async (kind, tags) => {
  for (const littleEndian of [true, false]) {
    expect(await rejection(tiff(tags, Array(48).fill(0), littleEndian))).toMatchObject({
      code: "image-unsupported",
      message: `the image: a TIFF of ${kind}, a kind that is not read`,
      hint: "Save the image as PNG, in RGB.",
    });
  }
});
