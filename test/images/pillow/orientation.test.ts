/**
 * Turning by EXIF and XMP against Pillow's ImageOps.exif_transpose: goldens, and the files of `orientationVariants.ts`.
 */
import { expect, test } from "vitest";
import { toRgb } from "../../../src/images/convert.js";
import { type DecodeOptions, decodeImage } from "../../../src/images/decode.node.js";
import type { ImageSource } from "../../../src/images/image.js";
import { bytes } from "../../checkpoints/assemble.js";
import { golden, hasGolden } from "../../goldens.js";
import { compared } from "../../parity.js";
import { sha256 } from "../goldens.js";
import { rejection } from "../rejection.js";
import { avif, avifBase, clap, orientationVariants } from "./orientationVariants.js";
import { readResults } from "./results.js";

const { pillow, results, goldens = {} } = readResults("orientation");

/** Mode, size and a digest of the colours, as `pillow.py` writes them. */
async function read(source: ImageSource, orientation: DecodeOptions["orientation"]) {
  const raster = await decodeImage(source, { orientation });
  const { data } = raster.mode === "RGBA" ? raster : toRgb(raster);
  const digest = sha256(data).slice(0, 16);
  return { raster, shape: `${raster.mode} ${raster.width} ${raster.height}`, digest };
}

const here = Object.keys(goldens).filter((file) => hasGolden(`preprocess/inputs/${file}`));

test.skipIf(here.length === 0)(
  `the golden images are turned as by Pillow ${pillow}${here.length ? "" : " [SKIPPED: no goldens]"}`,
  async () => {
    for (const file of here) {
      const [, mode, width, height, stored, turned] = goldens[file]!.split(" ");
      const path = golden(`preprocess/inputs/${file}`);
      const upright = await read(path, "exif");
      expect([file, upright.shape, upright.digest]).toEqual([file, `${mode} ${width} ${height}`, turned]);
      for (const off of ["none", undefined] as const) {
        expect([file, (await read(path, off)).digest]).toEqual([file, stored]);
      }
      compared("images/turned upright/preprocess", { cases: 1, values: upright.raster.data.length });
    }
  },
);

const variants = orientationVariants().map(({ name, file }, i) => [name, file, results[i]!] as const);

test("what Pillow says of the variants is at hand", () => {
  expect(variants).toHaveLength(results.length);
});

test.each(variants.filter(([name]) => !name.startsWith("AVIF")))(
  "%s is turned as by Pillow",
  async (...row) => {
    const [, file, result] = row;
    const [, mode, width, height, stored, turned] = result.split(" ");
    const upright = await read(file, "exif");
    expect([upright.shape, upright.digest]).toEqual([`${mode} ${width} ${height}`, turned]);
    expect((await read(file, undefined)).digest).toBe(stored);
  },
);

/** Where each orientation takes the pixel that comes to (x, y), of an image of 5 × 3 pixels. */
const fromWhere: {
  readonly [orientation: string]: (x: number, y: number) => readonly [x: number, y: number];
} = {
  1: (x, y) => [x, y],
  2: (x, y) => [4 - x, y],
  3: (x, y) => [4 - x, 2 - y],
  4: (x, y) => [x, 2 - y],
  5: (x, y) => [y, x],
  6: (x, y) => [y, 2 - x],
  7: (x, y) => [4 - y, 2 - x],
  8: (x, y) => [4 - y, x],
};

test.each(variants.filter(([name]) => name.startsWith("AVIF")))(
  "%s is left as it is stored, and turned as by Pillow if that is wanted",
  async (_, file, result) => {
    const plain = await read(bytes(avifBase), "none");
    expect((await read(file, undefined)).raster).toEqual(plain.raster);

    const [orientation, , width, height] = result.split(" ");
    const { raster } = await read(file, "exif");
    expect([raster.width, raster.height]).toEqual([Number(width), Number(height)]);
    for (let y = 0; y < raster.height; y++) {
      for (let x = 0; x < raster.width; x++) {
        const [fromX, fromY] = fromWhere[orientation!]!(x, y);
        const from = 3 * (5 * fromY + fromX);
        const at = 3 * (raster.width * y + x);
        expect([x, y, ...raster.data.slice(at, at + 3)]).toEqual([
          x,
          y,
          ...plain.raster.data.slice(from, from + 3),
        ]);
      }
    }
  },
);

test("an AVIF cut off in its boxes is rejected, wherever that is", async () => {
  const file = bytes(avif(["irot", "\x01"], ["clap", clap]));
  for (let length = 13; length < file.length; length += 7) {
    expect((await rejection(file.subarray(0, length))).code).toBe("image-unreadable");
  }
});

test.each(["EXIF", "exfi", "", true, 6, null, ["exif"]])(
  "orientation %j is wrong usage",
  async (orientation) => {
    const error = await rejection(bytes(avifBase), { orientation } as unknown as DecodeOptions);
    expect([error.code, error.message]).toEqual([
      "usage",
      `orientation is ${JSON.stringify(orientation)}; it must be "exif" or "none"`,
    ]);
  },
);
