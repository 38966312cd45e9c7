/** What a model will take, beside what was measured; and what a user hears who has not so much. */
import { expect, test } from "vitest";
import {
  bytesPerToken,
  forecastMemory,
  inFormat,
  type ProgramWeights,
  type WeightsIn,
} from "../../src/machine/forecast.js";
import { programWeights, requireMemory, requireMemoryFor } from "../../src/machine/requireMemory.js";
import type { FlamingoConfig } from "../../src/models/flamingo.js";
import { mpt } from "../../src/models/mpt.js";
import { zoo } from "../../src/models/zoo.js";
import type { CacheFormat } from "../../src/runner/cacheFormats.js";
import { programsOf } from "../../src/runner/modelRunner.js";
import { formatsOf, type WeightFormat, weightFormats } from "../../src/weights/weightFormats.js";

const released = (name: string) => zoo.find((each) => each.name.endsWith(name))!;
const [mpt1b, neox, mpt7b] = ["3B-vitl-mpt1b", "4B-vitl-rpj3b", "9B-vitl-mpt7b"].map(released);
/** The 9B's form with 8 blocks of half the width. */
const small: FlamingoConfig = {
  ...mpt7b!.config,
  language: mpt({
    ...{ layers: 8, hiddenSize: 2048, heads: 16, mlpRatio: 4 },
    ...{ vocabulary: 50_280, contextLength: 2048, alibiMax: 8 },
  }),
};

/** The most that a process had in memory (VmHWM) with an image and 512 positions: docs/machine.md. */
const measured: readonly (readonly [FlamingoConfig, WeightFormat, WeightsIn, boolean, number])[] = [
  [small, "fp32", "memory", false, 4.174],
  [small, "fp32", "files", false, 4.148],
  [small, "int8", "files", false, 1.699],
  [small, "int4", "files", false, 1.387],
  [small, "int4", "memory", false, 2.244],
  [small, "int4", "files", true, 1.622],
  [small, "fp32", "memory", true, 10.604],
  [mpt1b!.config, "fp32", "memory", false, 10.748],
  [mpt1b!.config, "int4", "files", false, 2.502],
  [mpt7b!.config, "int4", "files", false, 6.08],
];

test.each(measured)(
  "the forecast is right within a tenth (%#)",
  (config, format, weightsIn, isCopying, gigabytes) => {
    const { total } = forecastMemory(config, programWeights(config, format), { weightsIn, isCopying });
    expect(total / 1e9 / gigabytes).toBeGreaterThan(0.9);
    expect(total / 1e9 / gigabytes).toBeLessThan(1.1);
  },
);

test("keys and values in few bits are a half or a quarter in the forecast", () => {
  const weights = programWeights(small, "int4");
  const cache = (cacheFormat?: CacheFormat) =>
    forecastMemory(small, weights, { weightsIn: "files", cacheFormat, positions: 2048 }).cache;
  expect(cache()).toBe(2 * 8 * 4 * 2048 * 2048);
  expect(cache("fp16")).toBe(cache() / 2);
  expect(cache("int8")).toBe(cache() / 4 + 2 * 8 * 4 * 2048); // and the scales
});

test.each([small, neox!.config])("weights in another format are those of the programs (%#)", (config) => {
  const plain = programsOf(config).map(({ weights }) => weights);
  const bytes = (weights: ProgramWeights) => forecastMemory(config, weights, { weightsIn: "files" }).weights;
  for (const format of weightFormats) {
    const real = programsOf(config, formatsOf(format)).map(({ weights }) => weights);
    // The table of positions, 257 rows of 1024, is no matrix of a product.
    expect(Math.abs(bytes(inFormat(plain, formatsOf(format))) - bytes(real))).toBeLessThan(1.1e6);
    expect(
      Math.abs(bytes(inFormat(real, formatsOf("int4"))) - bytes(inFormat(plain, formatsOf("int4")))),
    ).toBe(0);
    expect(Math.abs(bytes(programWeights(config, format)) - bytes(real))).toBeLessThan(1.1e6);
  }
});

test("a token reads the output projection, and of an embedding that is none a row", () => {
  const { language } = neox!.config;
  const [, decode] = programWeights(neox!.config, "fp32");
  const all = decode!.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  expect(all - bytesPerToken(decode!, language)).toBe(4 * 50_280 * 2560);
  const [, tied] = programWeights(mpt7b!.config, "fp32");
  expect(bytesPerToken(tied!, mpt7b!.config.language)).toBeGreaterThan(31e9);
});

const opening = (format: WeightFormat) => ({
  ...{ name: "my-model", config: mpt7b!.config, weights: programWeights(mpt7b!.config, format), format },
  weightsIn: "memory" as const,
  others: [{ format: "int4" as const, weightsIn: "files" as const, how: "openflamingo prepare my-model" }],
});
const free = (bytes: number) => ({ free: bytes, total: 64e9 });

test("what does not fit is rejected with what would", () => {
  expect(() => requireMemory(free(40e9), opening("fp32"))).not.toThrow();
  expect(() => requireMemory(free(21.3e9), opening("fp32"))).toThrowError(
    expect.objectContaining({
      code: "memory",
      message: "my-model: needs 33.5 GB as float32, 21.3 GB are free",
      hint: "Try openflamingo prepare my-model (6.1 GB) or the model openflamingo/OpenFlamingo-4B-vitl-rpj3b (3.4 GB as int4); memoryCheck off opens it all the same.",
    }),
  );
  expect(() => requireMemory({ ...free(3e9), limitedBy: "/sys/fs/cgroup" }, opening("fp32"))).toThrowError(
    expect.objectContaining({
      message: "my-model: needs 33.5 GB as float32, 3.0 GB are free in the control group /sys/fs/cgroup",
      hint: expect.stringMatching(
        /^Try the model openflamingo\/OpenFlamingo-3B-vitl-mpt1b \(2\.4 GB as int4\);/,
      ),
    }),
  );
  expect(() => requireMemory(free(1e9), opening("fp32"))).toThrowError(
    expect.objectContaining({
      hint: expect.stringMatching(/^Close other programs, or take a larger machine;/),
    }),
  );
});

test("a released model is judged before it is fetched", () => {
  expect(() => requireMemoryFor(free(12e9), mpt7b!, "int4")).not.toThrow();
  expect(() => requireMemoryFor(free(12e9), mpt7b!, "fp32")).toThrowError(
    expect.objectContaining({
      message: "openflamingo/OpenFlamingo-9B-vitl-mpt7b: needs 33.5 GB as float32, 12.0 GB are free",
      hint: expect.stringMatching(/^Try weights int8 \(10\.1 GB\) or the model/),
    }),
  );
});
