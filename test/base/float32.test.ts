/** The one pass over all weights: every kind of number, every place of a vector, and the seams between pieces. */
import { describe, expect, test } from "vitest";
import { areFinite, toFloat32 } from "../../src/base/float32.js";
import { bfloat16ToFloat } from "../../src/base/halfPrecision.js";

/** Around vectors of 8 and pieces of 131,072 numbers. */
const lengths = [0, 1, 7, 8, 9, 131_071, 131_072, 131_073, 300_001];

/** The first and last places of a tensor, and those around a seam. */
const placesIn = (length: number): number[] =>
  [0, 1, 2, 3, 4, 7, 131_071, 131_072, length - 2, length - 1].filter((at) => at >= 0 && at < length);

test("every bfloat16 becomes its float32, and those that are not finite are noticed", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
  const into = new Float32Array(65536);
  expect(toFloat32(new Uint8Array(all.buffer), "bfloat16", into)).toBe(false);
  const words = new Uint32Array(into.buffer);
  expect(words.findIndex((word, bits) => word !== bits * 65536)).toBe(-1);
  const one = new Float32Array(1);
  const wrong = Array.from(all).filter((bits) => {
    const finite = toFloat32(new Uint8Array(Uint16Array.of(bits).buffer), "bfloat16", one);
    return finite !== Number.isFinite(bfloat16ToFloat(bits));
  });
  expect(wrong).toEqual([]);
});

describe.each(lengths)("of %d numbers", (length) => {
  test("bfloat16, at any byte", () => {
    const halves = Uint16Array.from({ length }, (_, i) => 0x3f80 + (i % 127));
    const expected = Float32Array.from(halves, bfloat16ToFloat);
    const bytes = new Uint8Array(2 * length + 1);
    bytes.set(new Uint8Array(halves.buffer), 1);
    const into = new Float32Array(length);
    expect(toFloat32(bytes.subarray(1), "bfloat16", into)).toBe(true);
    expect(Buffer.compare(Buffer.from(into.buffer), Buffer.from(expected.buffer))).toBe(0);
    for (const at of placesIn(length)) {
      const damaged = bytes.slice(1);
      damaged.set([0x80, 0xff], 2 * at);
      expect([at, toFloat32(damaged, "bfloat16", into)]).toEqual([at, false]);
      expect(into[at]).toBe(Number.NEGATIVE_INFINITY);
    }
    expect(toFloat32(bytes.subarray(1), "bfloat16", into)).toBe(true); // nothing of it is left
  });

  test("float32", () => {
    const largest = 3.4028234663852886e38;
    const values = Float32Array.from({ length }, (_, i) => [largest, -largest, 0, -0, 1e-45][i % 5]!);
    expect(areFinite(values)).toBe(true);
    for (const at of placesIn(length)) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const before = values[at]!;
        values[at] = value;
        expect([at, areFinite(values)]).toEqual([at, false]);
        values[at] = before;
      }
    }
    expect(areFinite(values)).toBe(true);
  });
});

test("what an earlier, longer piece left in the last vectors does not count", () => {
  const into = new Float32Array(16);
  const infinite = new Uint8Array(Uint16Array.from({ length: 16 }, () => 0x7f80).buffer);
  expect(toFloat32(infinite, "bfloat16", into)).toBe(false);
  expect(toFloat32(new Uint8Array(18), "bfloat16", into.subarray(0, 9))).toBe(true);
  expect(areFinite(into.fill(Number.NaN))).toBe(false);
  expect(areFinite(new Float32Array(9))).toBe(true);
});

test("a float64 that is too large for float32 is not finite", () => {
  const into = new Float32Array(2);
  const bytesOf = (...values: number[]) => new Uint8Array(Float64Array.from(values).buffer);
  expect(toFloat32(bytesOf(1, 1e300), "float64", into)).toBe(false);
  expect(toFloat32(bytesOf(1, 1e30), "float64", into)).toBe(true);
});

test("a float16 that is not finite is noticed", () => {
  const into = new Float32Array(2);
  expect(toFloat32(Uint8Array.of(0, 0x7c, 0, 0), "float16", into)).toBe(false);
  expect(toFloat32(Uint8Array.of(0, 0x7b, 0, 0), "float16", into)).toBe(true);
});
