import sharp from "sharp";
import { expect, test } from "vitest";
import { toRgb } from "../../src/images/convert.js";
import { decodeImage } from "../../src/images/decode.node.js";
import { bytes } from "../checkpoints/assemble.js";
import { golden } from "../goldens.js";
import { compared } from "../parity.js";
import { avif, cases, errors, missing, sha256 } from "./goldens.js";
import { avifBase } from "./pillow/orientationVariants.js";
import { jpeg, png, rejection } from "./rejection.js";

test.skipIf(missing)(`every image is decoded to Pillow's bytes in Pillow's mode${missing}`, async () => {
  for (const { id, file, pil_mode, size, native_sha256, rgb_sha256 } of cases) {
    const raster = await decodeImage(golden(`preprocess/${file}`));
    expect([id, raster.mode, raster.width, raster.height]).toEqual([id, pil_mode, ...size]);
    // Palettes and black and white are kept in another form than Pillow's: there the colours alone count.
    if (pil_mode !== "P" && pil_mode !== "1") expect([id, sha256(raster.data)]).toEqual([id, native_sha256]);
    const rgb = toRgb(raster);
    expect([id, sha256(rgb.data)]).toEqual([id, rgb_sha256]);
    compared("images/decoded bytes/preprocess", { cases: 1, values: rgb.data.length });
  }
  expect(cases.length).toBeGreaterThan(0);
});

test.skipIf(missing)(`what Pillow rejects is rejected with a specific error${missing}`, async () => {
  for (const { file } of errors) {
    const path = golden(`preprocess/${file}`);
    const { code, message } = await rejection(path);
    expect([file, code]).toEqual([file, "image-unreadable"]);
    expect(message.startsWith(`${path}: `)).toBe(true);
  }
  compared("images/rejections/preprocess", { cases: errors.length, values: errors.length });
});

test.skipIf(missing)(`AVIF is decoded in Pillow's mode and size${missing}`, async () => {
  for (const { file, pil_mode, size } of avif) {
    const { mode, width, height } = await decodeImage(golden(`preprocess/${file}`));
    expect([file, mode, width, height]).toEqual([file, pil_mode, ...size]);
  }
});

test.each([
  ["SVG", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
  ["SVG", "<svg    WEBP><rect/></svg>"],
  ["PDF", "%PDF-1.7\n"],
  ["HEIC", "\0\0\0\x18ftypheic"],
  ["HEIC", "\0\0\0\x18ftypheix\0\0\0\0mif1avif"],
  ["HEIC", "\0\0\0\x18ftyphevc\0\0\0\0"],
  ["HEIF", "\0\0\0\x18ftypmif1\0\0\0\0mif1heic"],
  ["HEIF", "\0\0\0\x14ftypmif1\0\0\0\0heicavif"],
  ["HEIF", "\0\0\0\x18ftypmif1\0\0\0\0mia\0vif1"],
  ["HEIF", "\0\0\0\x18ftypmsf1\0\0\0\0hevc"],
  ["ICO", "\0\0\x01\0\x01\0\x10\x10"],
  ["BigTIFF", "II+\0\x08\0\0\0"],
  ["BigTIFF", "MM\0+\0\x08\0\0"],
])("%s is never handed to the decoder", async (format, text) => {
  const { code, message, hint } = await rejection(bytes(text));
  expect([code, message]).toEqual(["image-unsupported", `the image: ${format} images are not read`]);
  expect(hint).toContain("JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP");
});

test("what is no image is shown by its beginning", async () => {
  const message = async (bytes: Uint8Array) => (await rejection(bytes)).message;
  expect(await message(new Uint8Array())).toBe("the image: is empty (0 bytes)");
  expect(await message(new TextEncoder().encode("<!doctype html>\n<html>"))).toBe(
    'the image: is not an image but text that begins "<!doctype html>\\n"',
  );
  expect(await message(new Uint8Array([1, 2, 255]))).toBe(
    "the image: is not an image but bytes that begin 01 02 ff",
  );
});

test("an image of more pixels than allowed is rejected before it is decoded", async () => {
  expect(await rejection(png, { maxPixels: 34 })).toMatchObject({
    code: "image-unreadable",
    message: "the image: 7 × 5 is 35 pixels, the limit is 34 pixels",
  });
  expect(await decodeImage(png, { maxPixels: 35 })).toMatchObject({ width: 7 });
});

test("an image cut off anywhere is rejected", async () => {
  const noise = { width: 40, height: 30, channels: 3 } as const;
  const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 2654435761) >>> 24);
  const image = sharp(pixels, { raw: noise });
  const files = {
    PNG: image.clone().png(),
    JPEG: image.clone().jpeg(),
    WebP: image.clone().webp(),
    GIF: image.clone().gif(),
    TIFF: image.clone().tiff(),
    AVIF: image.clone().avif(),
  };
  for (const [format, encoder] of Object.entries(files)) {
    const file = new Uint8Array(await encoder.toBuffer());
    for (let length = 13; length < file.length; length += 31) {
      const { code, message } = await rejection(file.subarray(0, length));
      expect([format, length, code]).toEqual([format, length, "image-unreadable"]);
      expect(message).toMatch(
        new RegExp(`^the image: this ${format} of [0-9,]+ bytes cannot be decoded: damaged, cut off, or `),
      );
    }
  }
});

test("stray bytes before a marker of a JPEG do no harm, as in Pillow", async () => {
  const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
  const stray = new Uint8Array([...jpeg.subarray(0, scan), 1, 2, 3, ...jpeg.subarray(scan)]);
  expect(await decodeImage(stray)).toEqual(await decodeImage(jpeg));
});

test("an animation gives its first image, in RGB unless the file says that it has alpha", async () => {
  const first = Uint8Array.from({ length: 30 * 30 * 3 }, (_, i) => 7 * i);
  // The second image differs in few rows: as a patch on the first, so that the decoder sees alpha.
  const second = first.map((value, i) => (i > 1500 && i < 1700 ? 255 - value : value));
  const frames = [first, second].map((data) =>
    sharp(data, { raw: { width: 30, height: 30, channels: 3 } })
      .png()
      .toBuffer(),
  );
  const animation = sharp(await Promise.all(frames), { join: { animated: true } }).webp({ quality: 50 });
  const file = new Uint8Array(await animation.toBuffer());
  expect((await sharp(file).metadata()).hasAlpha).toBe(true);
  expect(await decodeImage(file)).toMatchObject({ mode: "RGB", width: 30, height: 30 });
});

test("a JPEG of two components is rejected by what it is", async () => {
  const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
  const scan = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda);
  const twoInFrame = [0xff, 0xc0, 0, 14, 8, 0, 5, 0, 7, 2, 1, 0x11, 0, 2, 0x11, 1];
  const twoInScan = [0xff, 0xda, 0, 10, 2, 1, 0, 2, 0x11, 0, 63, 0];
  const file = [
    ...jpeg.subarray(0, frame),
    ...twoInFrame,
    ...jpeg.subarray(frame + 19, scan),
    ...twoInScan,
    ...jpeg.subarray(scan + 14),
  ];
  expect(await rejection(Uint8Array.from(file))).toMatchObject({
    code: "image-unsupported",
    message: "the image: a JPEG of 2 × uchar a pixel (srgb), a kind that is not read",
  });
});

test("an AVIF whose first brand is that of its container is an AVIF", async () => {
  const file = bytes(avifBase);
  for (const brand of ["mif1", "msf1"]) {
    const other = file.slice();
    other.set(bytes(brand), 8);
    expect(await decodeImage(other)).toEqual(await decodeImage(file));
  }
});
