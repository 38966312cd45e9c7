/** Patches that are kept are drawn anew for every image and step, and stand in their order behind the class token. */
import { expect, test } from "vitest";
import { keptTokens } from "../../../../recipes/tiny/towers/keptTokens.js";

const of = { images: 50, patches: 16, kept: 4, seed: 1 };

test("each image keeps its class token and as many of its patches", () => {
  const { shape, data } = keptTokens(3, of);
  expect(shape).toEqual([50, 5]);
  const counts = new Array<number>(16).fill(0);
  for (let image = 0; image < 50; image++) {
    const [first, ...rest] = [...data.subarray(5 * image, 5 * (image + 1))].map((row) => row - 17 * image);
    expect(first).toBe(0);
    expect(rest).toEqual([...new Set(rest)].sort((a, b) => a - b));
    for (const patch of rest) counts[patch - 1]!++;
  }
  expect(counts.reduce((a, b) => a + b)).toBe(200);
  expect(Math.min(...counts)).toBeGreaterThan(3);
});

test("by seed and step alone", () => {
  expect(keptTokens(3, of)).toEqual(keptTokens(3, of));
  expect(keptTokens(3, of)).not.toEqual(keptTokens(4, of));
  expect(keptTokens(3, { ...of, seed: 2 })).not.toEqual(keptTokens(3, of));
});
