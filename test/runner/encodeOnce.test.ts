import { expect, test } from "vitest";
import { encodeOnce } from "../../src/runner/encodeOnce.js";

test("images with the same pixels are encoded once, also while the first is on its way; others by themselves", async () => {
  const seen: Float32Array[] = [];
  const encode = encodeOnce({
    encode: async (pixels) => {
      seen.push(pixels);
      return { media: [] };
    },
  });
  const [first, second, other] = await Promise.all([
    encode(Float32Array.of(1, 2, 3)),
    encode(Float32Array.of(0, 1, 2, 3).subarray(1)),
    encode(Float32Array.of(1, 2, 4)),
  ]);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  expect(seen).toHaveLength(2);
});
