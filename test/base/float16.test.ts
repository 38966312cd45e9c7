/** Float16 in vectors, beside the arithmetic of one number. */
import { expect, test } from "vitest";
import { halfToFloat } from "../../src/base/dtypes.js";
import { roundToHalf, toHalves, widenHalves } from "../../src/base/float16.js";
import { floatToHalf } from "../../src/base/halfPrecision.js";
import { randomStream } from "../../src/base/random.js";

const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
const isFiniteHalf = (bits: number) => (bits & 0x7c00) !== 0x7c00;
const wordsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

test("every float16 becomes its float32, and those that are not finite are noticed", () => {
  const into = new Float32Array(65536);
  expect(widenHalves(all, into)).toBe(false);
  expect(all.filter((bits) => !Object.is(into[bits], halfToFloat(bits)))).toHaveLength(0);
  const finite = all.filter(isFiniteHalf);
  expect(widenHalves(finite, into.subarray(0, finite.length))).toBe(true);
  expect(finite.filter((bits, i) => !Object.is(into[i], halfToFloat(bits)))).toHaveLength(0);
  const one = new Float32Array(1);
  expect(all.filter((bits) => widenHalves(Uint16Array.of(bits), one) !== isFiniteHalf(bits))).toHaveLength(0);
});

test("every finite float16 is itself when rounded, and comes back as its own bits", () => {
  const finite = all.filter(isFiniteHalf);
  const values = Float32Array.from(finite, halfToFloat);
  const before = values.slice();
  expect(roundToHalf(values)).toBeUndefined();
  expect(wordsOf(values)).toEqual(wordsOf(before));
  expect(toHalves(values)).toEqual(finite);
});

test("what lies between two is rounded to the nearer one, from the middle to the even one", () => {
  const random = randomStream(1, "float16");
  const between = Array.from({ length: 0x7bff }, (_, bits) => {
    const [low, high] = [halfToFloat(bits), halfToFloat(bits + 1)];
    return [(low + high) / 2, low + random.uniform(bits) * (high - low)];
  }).flat();
  const values = Float32Array.from([...between, ...between.map((each) => -each), 1e-45, -1e-45, 65519.99]);
  const expected = Uint16Array.from(values, floatToHalf);
  expect(roundToHalf(values)).toBeUndefined();
  expect(toHalves(values)).toEqual(expected);
});

test.each([65520, -65520, 1e38, 3.4028234663852886e38])(
  "%d, which float16 does not reach, is found at any place, and nothing of it is left",
  (large) => {
    const length = 131_077;
    for (const at of [0, 7, 131_071, 131_072, length - 1]) {
      const values = new Float32Array(length).fill(1.0001);
      values[at] = large;
      expect([at, roundToHalf(values)]).toEqual([at, at]);
      expect(values[at]).toBe(Math.fround(large)); // for the message
      expect(roundToHalf(new Float32Array(3).fill(1.0001))).toBeUndefined();
    }
  },
);
