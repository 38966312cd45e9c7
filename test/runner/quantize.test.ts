/** From plain numbers to blocks: what they stand for is as near as the bits allow. */
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import type { BlockFormat } from "../../src/graph/index.js";
import { quantizeMatrix } from "../../src/runner/quantize.js";

/** The numbers that blocks stand for, by the format's definition. */
function numbersOf(
  { values, scales }: ReturnType<typeof quantizeMatrix>,
  [n, k]: readonly [number, number],
  { bits, block }: BlockFormat,
): number[] {
  const blocks = Math.ceil(k / block);
  return Array.from({ length: n * k }, (_, at) => {
    const [row, column] = [Math.floor(at / k), at % k];
    const b = row * blocks + Math.floor(column / block);
    const i = column % block;
    const byte = values[b * ((block * bits) / 8) + Math.floor((i * bits) / 8)]!;
    const q = bits === 8 ? byte : i % 2 === 0 ? byte & 15 : byte >> 4;
    return (q - 2 ** (bits - 1)) * scales[b]!;
  });
}

const noise = (count: number, seed: number): Float32Array => {
  const random = randomStream(seed, "quantize");
  return Float32Array.from({ length: count }, (_, i) => random.normal(i));
};

/** Root mean square of the difference, relative to that of the numbers; weighted by column. */
function errorOf(x: Float32Array, y: readonly number[], k: number, weight = (_column: number) => 1): number {
  let [off, size] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    off += weight(i % k) * (x[i]! - y[i]!) ** 2;
    size += weight(i % k) * x[i]! ** 2;
  }
  return Math.sqrt(off / size);
}

describe.each([
  { bits: 4, block: 32, most: 0.082 },
  { bits: 4, block: 128, most: 0.098 },
  { bits: 8, block: 32, most: 0.0055 },
  { bits: 8, block: 128, most: 0.0066 },
] as const)("$bits bits in blocks of $block", ({ most, ...format }) => {
  const shape = [64, 1024] as const;
  const x = noise(64 * 1024, 1);

  test("normal numbers have the error that is known of this format", () => {
    const error = errorOf(x, numbersOf(quantizeMatrix(x, shape, format), shape, format), 1024);
    expect(error).toBeLessThan(most);
    expect(error).toBeGreaterThan(0.9 * most);
  });

  test("numbers that the format has come back as they are", () => {
    const middle = 2 ** (format.bits - 1);
    const exact = Float32Array.from(x, (_, i) => 0.25 * (i % format.block === 0 ? -middle : (i % 7) - 3));
    expect(numbersOf(quantizeMatrix(exact, shape, format), shape, format)).toEqual([...exact]);
  });

  test("a row that does not fill its last block, and one of zeros", () => {
    const odd = [2, 40] as const;
    const rows = Float32Array.from({ length: 80 }, (_, i) => (i < 40 ? x[i]! : 0));
    const numbers = numbersOf(quantizeMatrix(rows, odd, format), odd, format);
    expect(errorOf(rows, numbers, 40)).toBeLessThan(1.5 * most);
    expect(numbers.slice(40)).toEqual(Array(40).fill(0));
  });
});

test("errors of important columns are made smaller, at the price of the others", () => {
  const [shape, format] = [[64, 1024] as const, { bits: 4, block: 128 } as const];
  const x = noise(64 * 1024, 2);
  const importance = Float32Array.from({ length: 1024 }, (_, column) => (column % 64 === 0 ? 900 : 1));
  const weight = (column: number) => importance[column]!;
  const plain = numbersOf(quantizeMatrix(x, shape, format), shape, format);
  const weighted = numbersOf(quantizeMatrix(x, shape, format, importance), shape, format);
  expect(errorOf(x, weighted, 1024, weight)).toBeLessThan(0.85 * errorOf(x, plain, 1024, weight));
  expect(errorOf(x, weighted, 1024)).toBeGreaterThan(errorOf(x, plain, 1024));
});
