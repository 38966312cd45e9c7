/** A matrix is found from examples of what it does. */
import { expect, test } from "vitest";
import { linearFit } from "../../../../recipes/tiny/towers/linearFit.js";
import { randomStream } from "../../../../src/base/random.js";

const [n, d, w] = [200, 6, 4];
const { normal } = randomStream(1, "examples");
const map = Float32Array.from({ length: w * d }, (_, i) => normal(i));
const x = Float32Array.from({ length: n * d }, (_, i) => normal(i, 1));
const valueAt = (row: number, i: number) =>
  map.subarray(i * d, (i + 1) * d).reduce((sum, value, j) => sum + value * x[row * d + j]!, 0);
const y = Float32Array.from({ length: n * w }, (_, i) => valueAt(Math.floor(i / w), i % w));

test("without a ridge it is the matrix itself", () => {
  const found = linearFit(x, y, { d, w, ridge: 0 });
  for (const [i, value] of map.entries()) expect(found[i]).toBeCloseTo(value, 4);
});

test("a ridge makes it smaller, most where examples have little", () => {
  const narrow = x.map((value, i) => (i % d === 0 ? value / 100 : value)); // column 0 hardly varies
  const found = linearFit(narrow, y, { d, w, ridge: 0.1 });
  for (let row = 0; row < w; row++) {
    expect(Math.abs(found[row * d]!)).toBeLessThan(Math.abs(100 * map[row * d]!) / 50);
  }
  expect(Math.hypot(...found)).toBeLessThan(Math.hypot(...map));
});
