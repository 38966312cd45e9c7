/** The report of quality: figures beside float32, what calibration does to them, and what does not fit in memory. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fittingChoices } from "../../src/api/fittingChoices.js";
import { node } from "../../src/api/platform.node.js";
import { shownReport } from "../../src/cli/report.js";
import { type FormatQuality, type ModelReport, reportQuality } from "../../src/index.js";
import { zoo } from "../../src/models/zoo.js";
import { choicesFor } from "../../src/quality/choices.js";
import { divergence } from "../../src/quality/measure.js";
import { golden, randomModelFolder } from "../goldens.js";
import { outlyingModel } from "./outlyingModel.js";

const folder = mkdtempSync(join(tmpdir(), "report-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const texts = [{ image: golden("photos/coffee.png"), text: "A cup." }];
const calibrate = [{ image: golden("photos/chelsea.png"), text: "A cat looks at you." }];

const median = (values: Iterable<number>) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
};

describe("of a model with an outlying channel", () => {
  let report: ModelReport;
  const formatOf = (name: string) => report.formats.find((each) => each.name === name)!;
  beforeAll(async () => {
    const model = join(folder, "outlying");
    await outlyingModel(model, 20);
    report = await reportQuality(model, texts, { calibrate });
    expect(readdirSync(folder)).toEqual(["outlying"]); // it writes nothing
  }, 60_000);

  test("every format is compared with float32, the less exact the further from it", () => {
    expect(report).toMatchObject({ reference: "fp32", samples: 1, tooLarge: [] });
    expect(report.formats.map(({ name }) => name)).toEqual([
      ...["fp32", "fp16", "int8"],
      ...["int4 b128", "int4 b128 exact", "int4 b128 calibrated"],
      ...["int4 b32", "int4 b32 exact", "int4 b32 calibrated"],
    ]);
    expect(formatOf("fp32")).toMatchObject({ divergence: 0, changedAnswers: 0, changedTokens: 0 });
    const divergences = ["fp16", "int8", "int4 b128"].map((name) => formatOf(name).divergence);
    expect(divergences).toEqual(divergences.toSorted((a, b) => a - b));
    expect(divergences[0]).toBeGreaterThan(0);
    expect(Math.abs(formatOf("fp16").loss - formatOf("fp32").loss)).toBeLessThan(0.01);
    expect(formatOf("fp16").errors.size).toBe(0);
    expect(median(formatOf("int8").errors.values())).toBeLessThan(0.02);
    expect(median(formatOf("int4 b32").errors.values())).toBeLessThan(0.09);
    expect([...formatOf("int4 b128").errors.keys()]).toEqual([...formatOf("int8").errors.keys()]);
  });

  test.each(["int4 b128", "int4 b32"])("calibration makes the products of %s more exact", (name) => {
    const [plain, calibrated] = [formatOf(name), formatOf(`${name} calibrated`)];
    const names = [...plain.weightedErrors.keys()];
    expect([...calibrated.weightedErrors.keys()]).toEqual(names);
    const behindNorms = names.filter((each) => /Wqkv|up_proj/.test(each));
    expect(behindNorms).toHaveLength(16);
    const ratios = behindNorms.map(
      (each) => calibrated.weightedErrors.get(each)! / plain.weightedErrors.get(each)!,
    );
    console.log(
      `${name}: calibrated error / plain error: median ${median(ratios).toFixed(2)}, most ${Math.max(...ratios).toFixed(2)}`,
    );
    expect(median(ratios)).toBeLessThan(0.75);
    expect(Math.max(...ratios)).toBeLessThan(1);
    const all = (of: FormatQuality) => median(of.weightedErrors.values());
    expect(all(calibrated)).toBeLessThan(all(plain));
  });
});

describe("of a model that does not fit", () => {
  const memory = (free: number) =>
    vi.spyOn(node, "memory").mockReturnValueOnce({ free, total: 1e9, buffers: 0 });

  test("the most exact format that does is what the others are compared with", () => {
    const { config } = zoo.find(({ name }) => name.includes("9B"))!;
    const { fitting, tooLarge } = fittingChoices(choicesFor(false), 22e9, "9B", config, new Map());
    expect(fitting[0]).toMatchObject({ name: "int8" });
    expect(tooLarge.map(({ name }) => name)).toEqual(["fp32", "fp16"]);
    expect(tooLarge[0]!.needed).toBeGreaterThan(33e9);
  });

  test("what does not is named", async () => {
    memory(1.575e8); // as int4 in blocks of 128 it needs more, as its rows of 64 are filled up
    const report = await reportQuality(randomModelFolder, texts);
    const found = report.formats.map(({ name }) => name);
    expect(found).toEqual(["fp32", "fp16", "int4 b32", "int4 b32 exact"]);
    expect(report.tooLarge.map(({ name }) => name)).toEqual(["int8", "int4 b128", "int4 b128 exact"]);
    expect(report.formats.every(({ weightedErrors }) => weightedErrors.size === 0)).toBe(true);
    const lines = shownReport(report).split("\n");
    expect(lines).toHaveLength(1 + 3 + 1 + 4);
    expect(lines[0]).toBe("1 text, compared with fp32");
    expect(lines[1]).toMatch(/^int8 is left out: it needs 0\.\d GB of memory$/);
    expect(lines[4]).toMatch(/^weights +error: median +largest +loss +change +divergence +other answers/);
    expect(lines[5]).toMatch(/^fp32 +\d\.\d{4} +0 of 1 +0 of \d+$/);
    expect(lines[7]).toMatch(
      /^int4 b32 +0\.\d+ +0\.\d+ +\d\.\d{4} +[+-]\d\.\d{4} +\d\.\d{4} +\d of 1 +\d+ of \d+$/,
    );
  }, 60_000);

  test("where none does, there is no report", async () => {
    memory(1e8);
    await expect(reportQuality(randomModelFolder, texts)).rejects.toMatchObject({
      code: "memory",
      message: expect.stringMatching(/a report needs 0\.\d GB at least, 0\.1 GB are free$/),
      hint: expect.any(String),
    });
  });
});

test.each([
  [[], {}, "texts is an empty list"],
  [texts, { calibrate: [] }, "calibrate is an empty list"],
  [[{ image: "x.png" }], {}, "texts[0].text"],
  [texts, { weights: "int4" }, "weights"],
] as const)("what is no list, or no option, is rejected: %j %j", async (of, options, message) => {
  await expect(reportQuality(randomModelFolder, of as never, options as never)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining(message),
  });
});

test("it can be stopped", async () => {
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error("enough"));
  const { signal } = controller;
  await expect(reportQuality(randomModelFolder, texts, { signal, onProgress })).rejects.toThrow("enough");
});

test("the divergence of two distributions is that of the formula", () => {
  const logs = (...p: number[]) => Float32Array.from(p, Math.log);
  const expected = 0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75);
  const p = [logs(0.5, 0.5), logs(0.1, 0.9)];
  expect(divergence(p, [logs(0.25, 0.75), logs(0.1, 0.9)])).toBeCloseTo(expected / 2, 6);
  expect(divergence(p, p)).toBe(0);
});
