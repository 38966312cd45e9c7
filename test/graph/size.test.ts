/** The arithmetic of sizes: when two are equal, how they are written, and what they come to. */
import { expect, test } from "vitest";
import {
  type Dim,
  evaluateDim,
  minus,
  namedSize,
  over,
  plus,
  showDim,
  showShape,
  times,
} from "../../src/graph/index.js";
import { product, sameDim, sameShape, signOf } from "../../src/graph/size.js";

const [b, t, past] = [namedSize("b"), namedSize("t"), namedSize("past")];
const twice = (dim: Dim) => times(2, dim);

test.each<[string, Dim]>([
  ["7", 7],
  ["b", b],
  ["past + t", plus(t, past)],
  ["past + 1", plus(1, past)],
  ["2·b·t", times(times(t, 2), b)],
  ["b·b", times(b, b)],
  ["b·past + b·t", times(b, plus(past, t))],
  ["t - 1", minus(t, 1)],
  ["-b + 3", minus(3, b)],
  ["past - 2·t", minus(past, twice(t))],
  ["b·b - t·t", times(plus(b, t), minus(b, t))],
])("%s is written so", (written, dim) => {
  expect(showDim(dim)).toBe(written);
});

test.each<[Dim, string]>([
  [3, "not negative"],
  [0, "not negative"],
  [-1, "negative"],
  [minus(t, 1), "not negative"],
  [minus(times(b, t), 1), "not negative"],
  [minus(times(b, t), t), "not negative"],
  [minus(plus(b, t), 2), "not negative"],
  [times(-1, t), "negative"],
  [minus(0, plus(t, past)), "negative"],
  [minus(b, times(b, plus(t, 1))), "negative"],
  [minus(1, t), "unknown"],
  [minus(t, 2), "unknown"],
  [minus(past, t), "unknown"],
  [minus(times(b, b), times(t, t)), "unknown"],
])("the sign of %j is %s", (dim, sign) => {
  expect(signOf(dim)).toBe(sign);
  const values = [1, 2, 5].flatMap((b) => [1, 3].flatMap((t) => [1, 7].map((past) => ({ b, t, past }))));
  const signs = values.map((each) => evaluateDim(dim, new Map(Object.entries(each))) < 0);
  if (sign !== "unknown") expect(new Set(signs)).toEqual(new Set([sign === "negative"]));
});

test("a shape is written in parentheses", () => {
  expect(showShape([])).toBe("()");
  expect(showShape([b, plus(past, t), 64])).toBe("(b, past + t, 64)");
});

test("what cancels is a plain number", () => {
  expect(minus(b, b)).toBe(0);
  expect(minus(plus(b, 3), b)).toBe(3);
  expect(times(b, 0)).toBe(0);
  expect(plus(2, 3)).toBe(5);
  expect(product([])).toBe(1);
  expect(product([2, 3, 4])).toBe(24);
});

test("sizes are equal when their polynomials are, in whatever order they were made", () => {
  expect(sameDim(plus(plus(past, t), 1), plus(plus(1, t), past))).toBe(true);
  expect(sameDim(times(b, plus(past, t)), plus(times(t, b), times(past, b)))).toBe(true);
  expect(sameDim(twice(t), plus(t, t))).toBe(true);
  expect(sameDim(b, t)).toBe(false);
  expect(sameDim(b, 1)).toBe(false);
  expect(sameDim(times(b, t), plus(b, t))).toBe(false);
  expect(sameShape([b, 2], [b, 2])).toBe(true);
  expect(sameShape([b, 2], [b])).toBe(false);
  expect(sameShape([b, t], [t, b])).toBe(false);
});

test.each<[Dim, Dim, Dim | undefined]>([
  [12, 3, 4],
  [12, 5, undefined],
  [12, 0, undefined],
  [0, 4, 0],
  [12, b, undefined],
  [b, 1, b],
  [b, 2, undefined],
  [times(6, b), 2, times(3, b)],
  [times(b, t), t, b],
  [times(4, times(b, t)), twice(b), twice(t)],
  [plus(times(4, b), times(2, t)), 2, plus(twice(b), t)],
  [plus(times(4, b), 3), 2, undefined],
  [plus(times(b, t), b), b, plus(t, 1)],
  [plus(times(b, t), 1), b, undefined],
  [times(b, b), b, b],
  [b, t, undefined],
  [minus(times(3, b), 6), 3, minus(b, 2)],
])("an exact quotient, or none: %#", (a, divisor, quotient) => {
  const found = over(a, divisor);
  expect(found === undefined ? undefined : showDim(found)).toBe(
    quotient === undefined ? undefined : showDim(quotient),
  );
});

test("a size comes to what its names have", () => {
  const values = new Map(Object.entries({ b: 2, t: 5, past: 7 }));
  expect(evaluateDim(3, values)).toBe(3);
  expect(evaluateDim(plus(past, t), values)).toBe(12);
  expect(evaluateDim(minus(times(times(b, t), 3), times(past, past)), values)).toBe(30 - 49);
  expect(() => evaluateDim(plus(t, namedSize("heads")), values)).toThrow("the size heads has no value");
});

test("sums, products and quotients of polynomials agree with those of their values", () => {
  const values = new Map(Object.entries({ b: 3, t: 5, past: 11 }));
  const value = (dim: Dim) => evaluateDim(dim, values);
  const parts: readonly Dim[] = [
    1,
    2,
    7,
    b,
    t,
    past,
    plus(b, t),
    times(past, t),
    minus(past, 4),
    twice(plus(b, 1)),
  ];
  for (const x of parts) {
    for (const y of parts) {
      expect(value(plus(x, y))).toBe(value(x) + value(y));
      expect(value(minus(x, y))).toBe(value(x) - value(y));
      expect(value(times(x, y))).toBe(value(x) * value(y));
      const back = over(times(x, y), y);
      if (back !== undefined) expect(showDim(back)).toBe(showDim(x));
      else expect(showDim(y)).toMatch(/[+-]/); // only a single term can divide
    }
  }
});
