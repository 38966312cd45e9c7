/** The arithmetic of one row of logits. */
import { expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import {
  argmax,
  kthGreatest,
  logProbabilities,
  logProbability,
  probabilities,
} from "../../src/generate/logits.js";

test("of equal greatest logits the first is taken", () => {
  expect(argmax(Float32Array.of(1, 3, 2, 3, 3))).toBe(1);
  expect(argmax(Float32Array.of(-0, 0, 0))).toBe(0);
  expect(argmax(Float32Array.of(-Infinity, -5, -5))).toBe(1);
});

test.each([
  ["a NaN behind the greatest", [1, 9, Number.NaN, 10], "hold NaN (token 2)"],
  ["a NaN at the beginning", [Number.NaN, 9], "hold NaN (token 0)"],
  ["infinity", [1, Number.POSITIVE_INFINITY, 2], "hold Infinity (token 1)"],
  ["nothing that is possible", [-Infinity, -Infinity], "hold -Infinity (token 0)"],
])("%s is an error", (_, values, message) => {
  expect(() => argmax(Float32Array.from(values))).toThrow(
    expect.objectContaining({ code: "logits-not-finite", message: expect.stringContaining(message) }),
  );
});

test("logits beyond what exp can hold have their probabilities", () => {
  const [a, b, c] = probabilities(Float32Array.of(2000, 2000 + Math.log(3), -2000));
  expect(a).toBeCloseTo(0.25, 4);
  expect(b).toBeCloseTo(0.75, 4);
  expect(c).toBe(0);
  const logs = logProbabilities(Float32Array.of(-3000, -3000, -3000, -3000));
  expect([...logs]).toEqual(Array.from({ length: 4 }, () => Math.fround(-Math.log(4))));
  expect(logProbability(Float32Array.of(0, Math.log(4), Math.log(5)), 2)).toBeCloseTo(Math.log(0.5), 6);
});

test("the k-th greatest logit is where it stands in the sorted ones, and the logits stay as they are", () => {
  const random = randomStream(0, "rows");
  for (let row = 0; row < 200; row++) {
    const logits = Float32Array.from({ length: 1 + (row % 50) }, (_, i) =>
      i % 11 === 5 ? -Infinity : 20 + Math.round(10 * random.normal(row, i)) / (1 + (row % 3)),
    );
    const before = logits.slice();
    const sorted = logits.toSorted().reverse();
    const found = sorted.map((_, i) => kthGreatest(logits, i + 1));
    expect(found).toEqual(sorted);
    expect(logits).toEqual(before);
  }
});
