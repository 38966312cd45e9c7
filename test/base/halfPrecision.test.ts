/** Numbers to half precision and back. */
import { expect, test } from "vitest";
import { halfToFloat } from "../../src/base/dtypes.js";
import { bfloat16ToFloat, floatToBfloat16, floatToHalf } from "../../src/base/halfPrecision.js";

const kinds = [
  ["float16", floatToHalf, halfToFloat, 0x7c00],
  ["bfloat16", floatToBfloat16, bfloat16ToFloat, 0x7f80],
] as const;

test.each(kinds)("every %s comes back as its own bits", (_, to, from, infinity) => {
  for (let bits = 0; bits <= infinity; bits++) {
    expect(to(from(bits))).toBe(bits);
    expect(to(from(bits | 0x8000))).toBe(bits | 0x8000);
  }
});

test.each(kinds)(
  "%s: what lies between two goes to the nearer one, from the middle to the even one",
  (...kind) => {
    const [, to, from, infinity] = kind;
    for (let bits = 0; bits < infinity - 1; bits++) {
      const [low, high] = [from(bits), from(bits + 1)];
      const middle = (low + high) / 2; // exact in double precision
      expect(to(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(to(-middle)).toBe(0x8000 | (bits % 2 === 0 ? bits : bits + 1));
      expect(to(middle - (high - low) * 1e-6)).toBe(bits);
      expect(to(middle + (high - low) * 1e-6)).toBe(bits + 1);
    }
  },
);

test("what is too large becomes infinity, and what is no number stays none", () => {
  expect(floatToHalf(65_519)).toBe(0x7bff);
  expect(floatToHalf(65_520)).toBe(0x7c00);
  expect(floatToHalf(-1e30)).toBe(0xfc00);
  expect(floatToBfloat16(3.4e38)).toBe(0x7f80);
  expect(floatToBfloat16(-1e30)).toBe(0xf14a);
  for (const [, to, from] of kinds) expect(from(to(Number.NaN))).toBeNaN();
});
