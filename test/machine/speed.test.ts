/** Measuring: what is counted is right, whatever the machine's speed. */
import { expect, test } from "vitest";
import { attention, createGraph, input, linear, output, quantize, weight } from "../../src/graph/index.js";
import { benchmark } from "../../src/machine/benchmark.js";
import { operationsOf } from "../../src/machine/operations.js";
import { graphicsAdapters, instructionSets } from "../../src/machine/processor.js";
import { releasedFits } from "../../src/machine/released.js";
import { fasterOf, measureSpeed, type Speed } from "../../src/machine/speed.js";
import { vitL14, zoo } from "../../src/models/zoo.js";
import { decodeGraph, encodeGraph } from "../../src/runner/graphs.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { tinyModel } from "../tinyModel.js";

const speed: Speed = { bandwidth: 20, int4Bandwidth: 10, float32: 100, int8: 300, int4: 200 };

test("operations of products and of attention are counted, in any format", () => {
  const graph = createGraph("two products");
  const x = input(graph, "x", "float32", ["b", "t", 8]);
  const y = linear(x, weight(graph, "w", [16, 8]), undefined); // (b, t, 16)
  output(graph, "y", attention(y, y, y, undefined, { scale: 1 }));
  const [b, t] = [2, 3];
  const expected = 2 * b * t * 8 * 16 + 2 * (2 * b * t * t * 16);
  expect(operationsOf(graph, { b, t })).toBe(expected);
  const inBlocks = quantize(graph, () => ({ bits: 4, block: 32, exact: false }));
  expect(operationsOf(inBlocks, { b, t })).toBe(expected);
});

test("an image is 162 GFLOP in the vision encoder, and a token two for each number that it reads", () => {
  const { config } = zoo.at(-1)!;
  const { hiddenSize: d, layers } = vitL14;
  const vision = 2 * 257 * layers * (12 * d * d + 2 * 257 * d) + 2 * 256 * 588 * d;
  const image = operationsOf(encodeGraph(config), { N: 1 });
  expect(image).toBeGreaterThan(vision);
  expect(image).toBeLessThan(1.15 * vision); // the resampler, and keys and values for the gated blocks
  const one = { b: 1, t: 1, total: 1, s: 1, w: 1, images: 1, capacity: 2 };
  const token = operationsOf(decodeGraph(config), one);
  expect(token / (2 * (31.0e9 / 4))).toBeCloseTo(1, 2);
});

test("the machine's speed is a number of everything, with little memory too", async () => {
  await using runtime = await openOrtFfi();
  const steps: string[] = [];
  const before = process.memoryUsage().arrayBuffers;
  const measured = await measureSpeed(runtime, { free: 0, threads: 1, onStep: (what) => steps.push(what) });
  for (const value of Object.values(measured)) expect(value).toBeGreaterThan(0);
  expect(steps).toHaveLength(5);
  // What it has taken, 160 MB, is given back at once.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25);
  expect(fasterOf(speed, { ...speed, int4: 250, int8: 1 })).toEqual({ ...speed, int4: 250 });
});

test("a model's figures, beside the machine's", async () => {
  const model = tinyModel("tiny-openflamingo-9b");
  const { runner, close } = await model.open();
  try {
    const steps: string[] = [];
    const figures = await benchmark(runner, {
      ...{ imageToken: model.ids.image, speed: async () => speed, resident: () => 5e6 },
      onStep: (what) => steps.push(what),
    });
    expect(steps).toEqual(["an image", "a prompt of 32 tokens", "tokens", "4 shots", "3 beams"]);
    const { image, prompts, token, shots, beams, memory } = figures;
    expect(memory).toBe(5e6);
    expect(image.rate * image.milliseconds * 1e6).toBeCloseTo(
      operationsOf(encodeGraph(runner.config), { N: 1 }),
      0,
    );
    expect(image.share).toBeCloseTo(image.rate / speed.float32, 9);
    expect(prompts[0]!.tokensPerSecond).toBeCloseTo(32_000 / prompts[0]!.milliseconds, 6);
    expect(token.share).toBeCloseTo(token.rate / speed.bandwidth, 9);
    expect(shots).toMatchObject({ shots: 4, promptTokens: 65, newTokens: 16 });
    expect(beams.ratio).toBeCloseTo(beams.milliseconds / token.milliseconds, 9);
  } finally {
    await close();
  }
});

test("released models: what fits, and how fast it would be at best", () => {
  const fits = releasedFits({ free: 8e9, total: 8e9 }, speed);
  const shown = fits.map(({ names, format, isFitting }) => [names[0]!.slice(26, 28), format, isFitting]);
  expect(shown).toEqual([
    ["3B", "fp32", false],
    ["3B", "int8", true],
    ["3B", "int4", true],
    ["4B", "fp32", false],
    ["4B", "int8", true],
    ["4B", "int4", true],
    ["9B", "fp32", false],
    ["9B", "int8", false],
    ["9B", "int4", true],
  ]);
  expect(fits.flatMap(({ names, format }) => (format === "int4" ? names : []))).toEqual(
    zoo.map(({ name }) => name),
  );
  // 4.12 GB a token at 10 GB/s, and 31.0 GB at 20.
  expect(fits.at(-1)!.tokensPerSecond).toBeCloseTo(2.43, 1);
  expect(fits.at(-3)!.tokensPerSecond).toBeCloseTo(0.645, 2);
});

test("instruction sets, of x64 and of arm64; unknown where the system does not say", () => {
  const of = (text: string) => instructionSets((path) => (path === "/proc/cpuinfo" ? text : undefined));
  expect(of("processor\t: 0\nflags\t\t: fpu avx avx2 fma avx512f avx512_vnni\n")).toEqual([
    "AVX2",
    "FMA",
    "AVX-512",
    "AVX-512 VNNI",
  ]);
  expect(of("Features\t: fp asimd asimddp i8mm\n")).toEqual(["NEON", "dot product", "I8MM"]);
  expect(instructionSets(() => undefined)).toBeUndefined();
});

test("graphics processors: NVIDIA's by name, others by their maker", () => {
  const files: Record<string, string> = {
    "/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 5\n",
    "/sys/class/drm/card0/device/vendor": "0x10de\n",
    "/sys/class/drm/card1/device/vendor": "0x8086\n",
    "/sys/class/drm/card2/device/vendor": "0x1af4\n",
  };
  const folders: Record<string, string[]> = {
    "/proc/driver/nvidia/gpus": ["0000:01:00.0"],
    "/sys/class/drm": ["card0", "card0-HDMI-1", "card1", "card2", "renderD128"],
  };
  const seen = (without = "") =>
    graphicsAdapters(
      (path) => files[path],
      (folder) => (folder === without ? [] : (folders[folder] ?? [])),
    );
  expect(seen()).toEqual(["NVIDIA H100 80GB HBM3", "Intel graphics"]);
  expect(seen("/proc/driver/nvidia/gpus")).toEqual(["NVIDIA graphics", "Intel graphics"]);
  expect(
    graphicsAdapters(
      () => undefined,
      () => [],
    ),
  ).toEqual([]);
});
