import { expect, test } from "vitest";
import { encodeOnce } from "../../src/runner/encodeOnce.js";

/** What has encoded images so far, and a function that does. */
function counting() {
  const seen: Float32Array[] = [];
  const encode = encodeOnce({
    encode: async (pixels) => {
      seen.push(pixels);
      return { media: [] };
    },
  });
  return { seen, encode };
}

test("images with the same pixels are encoded once, also while the first is on its way; others by themselves", async () => {
  const { seen, encode } = counting();
  const [first, second, other] = await Promise.all([
    encode(Float32Array.of(1, 2, 3)),
    encode(Float32Array.of(0, 1, 2, 3).subarray(1)),
    encode(Float32Array.of(1, 2, 4)),
  ]);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect(seen).toHaveLength(2);
});

const size = 3 * 8 * 8;
const pixels = () => Float32Array.from({ length: size }, (_, i) => Math.sin(i));
test.each([
  ["in the first value", (image: Float32Array) => image.fill(9, 0, 1)],
  ["in the fourth value", (image: Float32Array) => image.fill(9, 3, 4)],
  ["in one value in the middle", (image: Float32Array) => image.fill(9, size / 2, size / 2 + 1)],
  ["in the last value", (image: Float32Array) => image.fill(9, size - 1)],
  [
    "by the least that float32 can say",
    (image: Float32Array) => image.fill(image[7]! * (1 + 2 ** -23), 7, 8),
  ],
  ["in length, the rest being equal", (image: Float32Array) => image.subarray(0, size - 1)],
  ["in length, and longer", (image: Float32Array) => Float32Array.of(...image, 0)],
])("images that differ %s are encoded by themselves, in either order", async (_, changed) => {
  for (const images of [
    [pixels(), changed(pixels())],
    [changed(pixels()), pixels()],
  ]) {
    const { seen, encode } = counting();
    const [first, second, again] = [
      await encode(images[0]!),
      await encode(images[1]!),
      await encode(images[0]!.slice()),
    ];
    expect(second).not.toBe(first);
    expect(again).toBe(first);
    expect(seen).toEqual(images);
  }
});
