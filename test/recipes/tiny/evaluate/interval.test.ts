import { expect, test } from "vitest";
import { shareOf } from "../../../../recipes/tiny/evaluate/interval.js";

const near = (value: number, wanted: number) => expect(Math.abs(value - wanted)).toBeLessThan(5e-5);

// Newcombe, "Two-sided confidence intervals for the single proportion" (1998), Table I, method 3; the last is 0 of 29
// seen from the other side.
test.each([
  [81, 263, 0.2553, 0.3662],
  [15, 148, 0.0624, 0.1605],
  [0, 20, 0, 0.1611],
  [1, 29, 0.0061, 0.1718],
  [29, 29, 0.883, 1],
])("%i of %i: from %f to %f", (right, queries, low, high) => {
  const share = shareOf(right, queries);
  near(share.low, low);
  near(share.high, high);
  expect(share).toMatchObject({ right, queries, share: right / queries });
});

test("without queries nothing is known", () => {
  expect(shareOf(0, 0)).toEqual({ right: 0, queries: 0, share: Number.NaN, low: 0, high: 1 });
});
