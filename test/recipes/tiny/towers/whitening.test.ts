import { expect, test } from "vitest";
import { product, whitened, whitening } from "../../../../recipes/tiny/towers/whitening.js";
import { randomStream } from "../../../../src/base/random.js";

const [n, d] = [4000, 5];
const { normal } = randomStream(1, "examples");
/** Three of five directions vary, each as much as it wants, about a mean. */
const examples = Float32Array.from({ length: n * d }, (_, at) => {
  const [row, i] = [Math.floor(at / d), at % d];
  return [2, 0, 1, 0, 0][i]! + [0, 3, 0, 0.5, 1][i]! * normal(row, i);
});
const squares = (x: Float32Array, i: number, j: number) => {
  let sum = 0;
  for (let at = 0; at < x.length; at += d) sum += (x[at + i]! * x[at + j]!) / n;
  return sum;
};
const meanSquares = (x: Float32Array) =>
  Array.from({ length: d }, (_, i) => squares(x, i, i)).sort((a, b) => a - b);

test("all directions have a mean square of 1, and nothing in common; one that is not there has 0", () => {
  const white = whitened(examples, whitening(examples, d, 1e-5));
  for (const [i, value] of meanSquares(white).entries()) expect(value).toBeCloseTo(i === 0 ? 0 : 1, 3);
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) expect(squares(white, i, j)).toBeCloseTo(0, 4);
});

test("a ridge keeps what hardly varies small", () => {
  const white = whitened(examples, whitening(examples, d, 0.1));
  const average = meanSquares(examples).reduce((a, b) => a + b) / d;
  expect(meanSquares(white)[1]).toBeCloseTo(0.25 / (0.25 + 0.1 * average), 1);
});

test("the inverse is the way back", () => {
  const { matrix, inverse } = whitening(examples, d);
  for (const [i, value] of product(inverse, matrix, d).entries()) {
    expect(value).toBeCloseTo(i % (d + 1) === 0 ? 1 : 0, 4);
  }
});
