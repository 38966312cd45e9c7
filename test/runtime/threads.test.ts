/** How many threads may be asked for: everywhere the same numbers, with the same words. */
import { expect, test } from "vitest";
import { createModelAndTransforms, load } from "../../src/index.js";
import { mostThreads, requireThreads } from "../../src/runtime/threads.js";
import { run } from "../cli/run.js";
import { golden, randomModelFolder } from "../goldens.js";
import { backends } from "./backends.js";
import { addition, floats } from "./programs.js";

const impossible: readonly [unknown, string][] = [
  [0, "0"],
  [-3, "-3"],
  [1.5, "1.5"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [1_000_000, "1000000"],
  [mostThreads + 1, "1025"],
  [2n, "2n"],
  ["2", '"2"'],
  [null, "null"],
  [true, "true"],
  [[2], "[2]"],
  [{}, "{}"],
];
const usage = (shown: string) => ({
  code: "usage",
  message: expect.stringContaining(`threads is ${shown}; it must be an integer from 1 to 1024`),
  hint: expect.stringMatching(/eave it out/),
});

test.each(impossible)("%s is rejected", (threads, shown) => {
  expect(() => requireThreads(threads)).toThrow(expect.objectContaining(usage(shown)));
});

test.each([undefined, 1, 2, mostThreads])("%s is not", (threads) => {
  expect(() => requireThreads(threads)).not.toThrow();
});

test.each(backends)("$name rejects them before it loads, and loads with 1 and 3", async ({ open }) => {
  await using runtime = await open();
  for (const [threads, shown] of impossible) {
    await expect(runtime.load(addition, { threads: threads as number })).rejects.toMatchObject(usage(shown));
  }
  const a = floats([1, 3], [1, 2, 3]);
  for (const threads of [1, 3]) {
    await using session = await runtime.load(addition, { threads });
    expect(await session.run({ a, b: a })).toEqual({ sum: floats([1, 3], [2, 4, 6]) });
  }
});

test.each(impossible)("both APIs reject %s before a file is read", async (given, shown) => {
  const threads = given as number;
  await expect(load(randomModelFolder, { threads })).rejects.toMatchObject(usage(shown));
  const parts = {
    clipVisionEncoderPath: "/nowhere",
    clipVisionEncoderPretrained: "/nowhere/weights.pt",
    langEncoderPath: "/nowhere",
    tokenizerPath: "/nowhere",
  };
  await expect(createModelAndTransforms({ ...parts, threads })).rejects.toMatchObject(usage(shown));
});

test.each(["0", "-3", "1.5", "NaN", "two", "", "1000000"])(
  "--threads %s ends with exit code 2",
  async (threads) => {
    const { code, stdout, stderr } = await run([
      "caption",
      `--threads=${threads}`,
      golden("photos/rocket.jpg"),
    ]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/threads/);
  },
);
