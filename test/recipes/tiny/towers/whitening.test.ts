import { expect, test } from "vitest";
import { meanOfRows, product, whitened, whitening } from "../../../../recipes/tiny/towers/whitening.js";
import { randomStream } from "../../../../src/base/random.js";

const [n, d] = [4000, 5];
const { normal } = randomStream(1, "examples");
/** Mostly the same, and three of five directions vary, each as much as it wants. */
const examples = Float32Array.from({ length: n * d }, (_, at) => {
  const [row, i] = [Math.floor(at / d), at % d];
  return [10, 0, 4, 0, 0][i]! + [0, 3, 0, 0.5, 1][i]! * normal(row, i);
});
const found = whitening(examples, d, 1e-4);
const white = whitened(examples, found);

test("what varies has about variance 1 in every direction; how much of the mean there is stands last", () => {
  const means = meanOfRows(white, d);
  for (const [i, mean] of means.entries()) expect(mean).toBeCloseTo(i === d - 1 ? Math.sqrt(d) : 0, 3);
  const covariance = (i: number, j: number) => {
    let sum = 0;
    for (let at = 0; at < white.length; at += d) {
      sum += ((white[at + i]! - means[i]!) * (white[at + j]! - means[j]!)) / n;
    }
    return sum;
  };
  for (let i = 0; i < d; i++) {
    expect(covariance(i, i)).toBeCloseTo(i < 3 ? 1 : 0, 2);
    // The mean's own share is left as it is.
    for (let j = 0; j < i && i < d - 1; j++) expect(covariance(i, j)).toBeCloseTo(0, 3);
  }
  expect(found.deviation).toBeCloseTo(Math.sqrt((9 + 0.25 + 1) / d), 1);
});

test("the inverse is the way back", () => {
  const back = product(white.subarray(0, 3 * d), transposed(found.inverse), d);
  for (const [i, value] of back.entries()) expect(value).toBeCloseTo(examples[i]!, 1);
});

const transposed = (a: Float32Array) => a.map((_, i) => a[(i % d) * d + Math.floor(i / d)]!);
