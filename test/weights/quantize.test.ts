/** From plain numbers to blocks: what they stand for is as near as the bits allow. */
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import type { BlockFormat } from "../../src/graph/index.js";
import { openKernelThreads } from "../../src/weights/kernelThreads.node.js";
import { type Blocks, quantizeMatrix } from "../../src/weights/quantize.js";

/** The numbers that blocks stand for, by the format's definition. */
function numbersOf(
  { values, scales }: Blocks,
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

  test("normal numbers have the error that is known of this format", async () => {
    const error = errorOf(x, numbersOf(await quantizeMatrix(x, shape, format), shape, format), 1024);
    expect(error).toBeLessThan(most);
    expect(error).toBeGreaterThan(0.9 * most);
  });

  test("numbers that the format has come back as they are", async () => {
    const middle = 2 ** (format.bits - 1);
    const exact = Float32Array.from(x, (_, i) => 0.25 * (i % format.block === 0 ? -middle : (i % 7) - 3));
    expect(numbersOf(await quantizeMatrix(exact, shape, format), shape, format)).toEqual([...exact]);
  });

  test("columns alone are the blocks of a matrix of these columns", async () => {
    const importance = Float32Array.from({ length: 1024 }, (_, column) => 1 + (column % 5));
    const span = [384, 1024] as const;
    const some = await quantizeMatrix(x, shape, format, { span, importance });
    const cut = x.filter((_, i) => i % 1024 >= span[0]);
    const alone = await quantizeMatrix(cut, [64, 640], format, { importance: importance.subarray(span[0]) });
    expect(some).toEqual(alone);
  });

  test("a row that does not fill its last block, and one of zeros", async () => {
    const odd = [2, 40] as const;
    const rows = Float32Array.from({ length: 80 }, (_, i) => (i < 40 ? x[i]! : 0));
    const numbers = numbersOf(await quantizeMatrix(rows, odd, format), odd, format);
    expect(errorOf(rows, numbers, 40)).toBeLessThan(1.5 * most);
    expect(numbers.slice(40)).toEqual(Array(40).fill(0));
  });

  test("numbers of any size that float32 has", async () => {
    const plain = await quantizeMatrix(x, shape, format);
    for (const power of [90, -100]) {
      const { values, scales } = await quantizeMatrix(
        x.map((each) => each * 2 ** power),
        shape,
        format,
      );
      expect(Buffer.compare(values, plain.values)).toBe(0);
      expect(scales).toEqual(plain.scales.map((scale) => scale * 2 ** power));
    }
    const tiny = await quantizeMatrix(
      x.map((each) => each * 1e-42),
      shape,
      format,
    );
    expect(numbersOf(tiny, shape, format).every((each) => each === 0)).toBe(true);
    const largest = Float32Array.from(x, (each) => 3.4e38 * Math.sign(each));
    const error = errorOf(
      largest,
      numbersOf(await quantizeMatrix(largest, shape, format), shape, format),
      1024,
    );
    expect(error).toBeLessThan(2 ** (1 - format.bits));
  });

  test("the blocks are the same on any number of threads, and wherever a tile ends", async () => {
    const wide = [3, 70_001] as const; // two tiles, the second not a whole number of blocks
    const high = [3000, 96] as const; // several tiles
    for (const [n, k] of [wide, high]) {
      const matrix = Float32Array.from({ length: n * k }, (_, i) => x[(i * 7919) % x.length]!);
      const importance = Float32Array.from({ length: k }, (_, column) => 1 + (column % 5));
      const once = await quantizeMatrix(matrix, [n, k], format, { importance });
      for (const count of [1, 3]) {
        await using pool = openKernelThreads(count);
        const both = [1, 2].map(() => quantizeMatrix(matrix, [n, k], format, { importance, pool }));
        for (const { values, scales } of await Promise.all(both)) {
          expect(Buffer.compare(values, once.values)).toBe(0);
          expect(Buffer.compare(new Uint8Array(scales.buffer), new Uint8Array(once.scales.buffer))).toBe(0);
        }
      }
      // The last block of the last row, alone.
      const last = Math.floor((k - 1) / format.block) * format.block;
      const alone = matrix.slice((n - 1) * k + last);
      const part = await quantizeMatrix(alone, [1, k - last], format, {
        importance: importance.subarray(last),
      });
      expect(part.scales[0]).toBe(once.scales.at(-1));
      expect(Buffer.compare(part.values, once.values.subarray(-part.values.length))).toBe(0);
    }
  });
});

test("errors of important columns are made smaller, at the price of the others", async () => {
  const [shape, format] = [[64, 1024] as const, { bits: 4, block: 128 } as const];
  const x = noise(64 * 1024, 2);
  const importance = Float32Array.from({ length: 1024 }, (_, column) => (column % 64 === 0 ? 900 : 1));
  const weight = (column: number) => importance[column]!;
  const plain = numbersOf(await quantizeMatrix(x, shape, format), shape, format);
  const weighted = numbersOf(await quantizeMatrix(x, shape, format, { importance }), shape, format);
  expect(errorOf(x, weighted, 1024, weight)).toBeLessThan(0.85 * errorOf(x, plain, 1024, weight));
  expect(errorOf(x, weighted, 1024)).toBeGreaterThan(errorOf(x, plain, 1024));
});

/** The search by its definition, in float64: the smallest weighted error that one of seven scales leads to. */
function leastError(x: Float32Array, weight: (i: number) => number): number {
  const largest = x.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0);
  const errors = [-3, -2, -1, 0, 1, 2, 3].map((t) => {
    const trial = largest / -(8 + 0.3 * t);
    const l = Array.from(x, (each) => Math.max(-8, Math.min(7, Math.round(each / trial))));
    const sum = (of: (i: number) => number) => l.reduce((total, _, i) => total + weight(i) * of(i), 0);
    const scale = sum((i) => l[i]! * x[i]!) / sum((i) => l[i]! ** 2);
    return sum((i) => (x[i]! - l[i]! * scale) ** 2);
  });
  return Math.min(...errors);
}

test("the scale in 4 bits is the best of those that are tried", async () => {
  const [shape, format] = [[256, 64] as const, { bits: 4, block: 64 } as const];
  const x = noise(256 * 64, 3);
  const importance = Float32Array.from({ length: 64 }, (_, column) => 1 + (column % 3));
  const found = numbersOf(await quantizeMatrix(x, shape, format, { importance }), shape, format);
  const excess = Array.from({ length: 256 }, (_, row) => {
    const numbers = x.subarray(64 * row, 64 * row + 64);
    const error = numbers.reduce(
      (sum, each, i) => sum + importance[i]! * (each - found[64 * row + i]!) ** 2,
      0,
    );
    return error / leastError(numbers, (i) => importance[i]!) - 1;
  });
  // Below, as its integers are rounded once more with the scale that was found.
  expect(Math.max(...excess)).toBeLessThan(1e-5);
  expect(Math.min(...excess)).toBeGreaterThan(-0.05);
});
