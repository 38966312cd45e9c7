/**
 * Philox beside the known answers that its authors publish (Random123, `kat_vectors`), and streams beside each other.
 */
import { expect, test } from "vitest";
import { philox, randomStream } from "../../src/base/random.js";

const ones = 0xffffffff;
test.each([
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [ones, ones, ones, ones],
    [ones, ones],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const)("known answer of counter %j", (counter, key, words) => {
  expect(philox(counter, key)).toEqual(words);
});

/**
 * From the words of a counter made of step (lower word first), lane and FNV-1a of the purpose, under the seed as key:
 * computed apart from this program, with integers of any size. A uniform number is the upper 27 bits of the first word
 * and the upper 26 of the second, over 2^53; a normal one is Box and Muller's of words 1 and 2, and 3 and 4.
 */
test.each([
  [0, "sample", 0, 0, 4829273973051331, -0.16094050377545854],
  [7, "sample", 3, 2, 6623033275428388, 1.2053012992645038],
  [2 ** 53 - 1, "sample", 2 ** 32 + 5, 2 ** 32 - 1, 4768820810124711, -0.7124232700640828],
  [123456789012, "lang_encoder.transformer.wte.weight", 1000, 0, 6857237002625842, -1.1415510154482627],
])("known numbers of seed %d, %s, step %d, lane %d", (seed, purpose, step, lane, uniform, normal) => {
  const stream = randomStream(seed, purpose);
  expect(stream.uniform(step, lane)).toBe(uniform / 2 ** 53);
  expect(stream.normal(step, lane)).toBeCloseTo(normal, 14);
});

test("a stream is given by seed and purpose, and no order of asking matters", () => {
  const stream = randomStream(7, "sampling");
  const forwards = [0, 1, 2].map((step) => stream.uniform(step));
  const backwards = [2, 1, 0].map((step) => randomStream(7, "sampling").uniform(step));
  expect(backwards.reverse()).toEqual(forwards);
  const others = [
    randomStream(8, "sampling").uniform(0),
    randomStream(7 + 2 ** 32, "sampling").uniform(0),
    randomStream(7, "shots").uniform(0),
    stream.uniform(2 ** 32),
    stream.uniform(0, 1),
    ...forwards,
  ];
  expect(new Set(others).size).toBe(others.length);
});

test("numbers lie evenly between 0 and 1", () => {
  const stream = randomStream(0, "test");
  const tenths = new Array<number>(10).fill(0);
  for (let step = 0; step < 20_000; step++) tenths[Math.floor(10 * stream.uniform(step))]!++;
  // Expected 2,000 each, with a standard deviation of 42.
  for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(200);
});

test("normal numbers have mean 0, deviation 1, and as many beyond 2 as they should", () => {
  const stream = randomStream(3, "normal");
  const values = Array.from({ length: 20_000 }, (_, step) => stream.normal(step));
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.03);
  expect(Math.abs(variance - 1)).toBeLessThan(0.05);
  expect(values.filter((x) => Math.abs(x) > 2).length / values.length).toBeCloseTo(0.0455, 2);
});
