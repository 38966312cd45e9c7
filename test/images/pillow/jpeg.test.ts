/** Damaged JPEGs against Pillow: the files of `jpegVariants.ts`, and the limits that stay. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeImage } from "../../../src/images/decode.node.js";
import { golden, hasGolden } from "../../goldens.js";
import { compared } from "../../parity.js";
import { rejection } from "../rejection.js";
import { bases, jpegVariants } from "./jpegVariants.js";
import { readResults, resultOf } from "./results.js";

const { pillow, results } = readResults("jpeg");
const isHere = bases.every((base) => hasGolden(`preprocess/inputs/${base}.jpg`));
const missing = isHere ? "" : " [SKIPPED: goldens/preprocess/inputs is not at hand]";

test.skipIf(missing)(
  `a damaged JPEG has the pixels that Pillow ${pillow} finds in it${missing}`,
  async () => {
    const variants = jpegVariants();
    expect(variants).toHaveLength(results.length);
    let read = 0;
    for (const [i, { name, file }] of variants.entries()) {
      const [ours, theirs] = [await resultOf(file), results[i]!];
      // Pillow also rejects images whose last bytes, behind all pixels, are wrong.
      if (theirs === "rejected") continue;
      expect(`${name}: ${ours}`).toBe(`${name}: ${theirs}`);
      read++;
    }
    expect(read).toBeGreaterThan(100);
    compared("images/damaged JPEGs/Pillow", { cases: read, values: read });
  },
);

test.skipIf(missing)(`a JPEG of very many scans keeps the decoder's own limits${missing}`, async () => {
  const file = readFileSync(golden("preprocess/inputs/jpeg_grey_prog.jpg"));
  const last = file.lastIndexOf("ffc4", undefined, "hex");
  const scans = (count: number) =>
    new Uint8Array(
      Buffer.concat([file.subarray(0, -2), ...Array(count).fill(file.subarray(last, -2)), file.subarray(-2)]),
    );
  // Scans that come again change the image; it is read as Pillow does, with a warning for each.
  expect(await decodeImage(scans(60))).toMatchObject({ mode: "L" });
  expect((await rejection(scans(5000))).code).toBe("image-unreadable");
});
