import { readFileSync } from "node:fs";
import sharp from "sharp";
import { expect, test } from "vitest";
import { toRgb } from "../../src/images/convert.js";
import { decodeImage } from "../../src/images/decode.node.js";
import type { Raster } from "../../src/images/image.js";
import { centreCrop, preprocess } from "../../src/images/preprocess.js";
import { resize } from "../../src/images/resize.js";
import { golden, hasGolden } from "../goldens.js";
import { compared } from "../parity.js";
import { avif, cases, crops, mean, missing, missingPhotos, photos, sha256, std } from "./goldens.js";

/** The image just before normalising: bytes of RGB. */
function square(raster: Raster, size: number): Uint8Array {
  const { resized, kept } = centreCrop(raster, size);
  return toRgb(resize(raster, resized, kept)).data;
}

test.skipIf(missing)(
  `every image becomes the reference implementation's tensor, bit for bit${missing}`,
  async () => {
    for (const { id, file, image_size: size, expected_sha256, tensor_sha256 } of cases) {
      const raster = await decodeImage(golden(`preprocess/${file}`));
      expect([id, sha256(square(raster, size))]).toEqual([id, expected_sha256]);
      const tensor = preprocess(raster, { size, mean, std });
      expect([id, sha256(tensor)]).toEqual([id, tensor_sha256]);
      compared("images/tensors/preprocess", { cases: 1, values: tensor.length });
    }
    expect(cases.length).toBeGreaterThan(0);
  },
);

test.skipIf(missing)(
  `turned into RGB first, every image becomes the tensor of training${missing}`,
  async () => {
    for (const { id, file, image_size: size, ...direct } of cases) {
      const raster = toRgb(await decodeImage(golden(`preprocess/${file}`)));
      const wanted = direct.rgb_first ?? direct;
      expect([id, sha256(square(raster, size))]).toEqual([id, wanted.expected_sha256]);
      const tensor = preprocess(raster, { size, mean, std });
      expect([id, sha256(tensor)]).toEqual([id, wanted.tensor_sha256]);
      compared("images/tensors, RGB first as in training/preprocess", { cases: 1, values: tensor.length });
    }
  },
);

test.skipIf(missingPhotos)(
  `photographs become the reference implementation's tensors${missingPhotos}`,
  async () => {
    for (const { file, pil_mode, rgb_sha256, expected_sha256, tensor_sha256 } of photos) {
      const raster = await decodeImage(golden(`photos/${file}`));
      expect([file, raster.mode]).toEqual([file, pil_mode]);
      expect([file, sha256(toRgb(raster).data)]).toEqual([file, rgb_sha256]);
      expect([file, sha256(square(raster, 224))]).toEqual([file, expected_sha256]);
      const tensor = preprocess(raster, { size: 224, mean, std });
      expect([file, sha256(tensor)]).toEqual([file, tensor_sha256]);
      compared("images/tensors/photos", { cases: 1, values: tensor.length });
    }
  },
);

const expectedAvif = avif.filter(({ expected }) => hasGolden(`preprocess/${expected}`));
const noAvif = expectedAvif.length > 0 ? "" : " [SKIPPED: goldens/preprocess/expected is not at hand]";

test.skipIf(noAvif)(
  `AVIF comes near the reference implementation's image; its decoders differ${noAvif}`,
  async () => {
    for (const { id, file, image_size, expected } of expectedAvif) {
      const ours = square(await decodeImage(golden(`preprocess/${file}`)), image_size);
      const theirs = await sharp(golden(`preprocess/${expected}`))
        .raw()
        .toBuffer();
      const differences = ours.map((value, i) => Math.abs(value - theirs[i]!));
      const largest = differences.reduce((a, b) => Math.max(a, b));
      const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
      compared(`images/bytes before normalising/${id}`, { cases: 1, values: ours.length, largest });
      const bound = 1;
      compared(`images/mean difference of these bytes/${id}`, { cases: 1, values: 1, largest: mean, bound });
      expect(ours.length).toBe(theirs.length);
      expect(mean).toBeLessThan(bound);
    }
  },
);

test.skipIf(missing)(
  `the square that is kept lies where the reference implementation cuts it${missing}`,
  () => {
    for (const {
      size: [width, height],
      image_size,
      resized,
      left,
      top,
    } of crops) {
      expect(centreCrop({ width, height }, image_size)).toEqual({
        resized: { width: resized[0], height: resized[1] },
        kept: { left, top, width: image_size, height: image_size },
      });
    }
    compared("images/places of crops/preprocess", { cases: crops.length, values: 4 * crops.length });
  },
);

const tensors = "preprocess/tensors.safetensors";
const noTensors = hasGolden(tensors) ? "" : ` [SKIPPED: goldens/${tensors} is not at hand]`;

test.skipIf(noTensors)(
  `the whole normalisation is the reference implementation's table of 3 × 256 values${noTensors}`,
  async () => {
    const file = readFileSync(golden(tensors));
    const headerLength = Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength)) as {
      [name: string]: { data_offsets: [number, number] };
    };
    const tensor = (name: string) => {
      const [start, end] = header[name]!.data_offsets.map((offset) => 8 + headerLength + offset);
      return new Float32Array(new Uint8Array(file.subarray(start, end)).buffer);
    };

    const ramp = Uint8Array.from({ length: 256 * 3 }, (_, i) => Math.trunc(i / 3));
    const levels: Raster = { mode: "RGB", width: 16, height: 16, data: ramp };
    expect(preprocess(levels, { size: 16, mean, std })).toEqual(tensor("norm_table"));

    compared("images/normalisation/preprocess", { cases: 1, values: 768 });
    for (const name of Object.keys(header)) {
      const [id, size = 224] = name.split("@");
      const known = cases.find((c) => c.id === id);
      if (!known) continue;
      const raster = await decodeImage(golden(`preprocess/${known.file}`));
      const values = preprocess(raster, { size: Number(size), mean, std });
      expect(values).toEqual(tensor(name));
      compared("images/tensors, value by value/preprocess", { cases: 1, values: values.length });
    }
  },
);

test("an image too narrow for its shorter side to be enlarged is rejected", () => {
  const line: Raster = { mode: "1", width: 1, height: 20_000_000, data: new Uint8Array(20_000_000) };
  expect(() => preprocess(line, { size: 224, mean, std })).toThrow(
    "the image: 1 × 20,000,000 pixels scaled to 224 make 4,480,000,000 on the longer side",
  );
});
