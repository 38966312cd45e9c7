/** `doctor` and `bench`: whatever the speed, the answer has its form. */
import { expect, test, vi } from "vitest";
import { benchTable, type Figures } from "../../src/cli/bench.js";
import { slowTest } from "../slow.js";
import { runInProcess } from "./inProcess.js";
import { run } from "./run.js";

/** In this process the machine is measured once: it takes seconds, and is the same. */
vi.mock("../../src/machine/speed.js", async (original) => {
  const { measureSpeed, ...rest } = await original<typeof import("../../src/machine/speed.js")>();
  let measured: ReturnType<typeof measureSpeed> | undefined;
  return {
    ...rest,
    measureSpeed: (...args: Parameters<typeof measureSpeed>) => (measured ??= measureSpeed(...args)),
  };
});

test("doctor: as a table, with what is wrong, which gives the exit code", async () => {
  vi.stubEnv("HF_ENDPOINT", "ftp://example.org");
  const { code, stdout, stderr } = await runInProcess(["doctor", "--threads", "1"]);
  vi.unstubAllEnvs();
  expect(stdout).toMatch(/^ort\.ffi +ONNX Runtime \d/m);
  expect(stdout).toMatch(/^memory +[\d.]+ [MG]B free of [\d.]+ GB/m);
  expect(stdout).toMatch(/^9B-vitl-mpt7b +int4 +6\.\d GB +(fits|too large) +[\d.]+ tokens\/s at most$/m);
  expect(stdout).toMatch(/^hub +WRONG: HF_ENDPOINT is/m);
  expect(stdout).toMatch(/^ +HF_ENDPOINT=https:\/\/huggingface\.co/m);
  expect(stderr).toContain("measuring reading float32");
  expect(code).toBe(2);
});

test("doctor: what is there, as JSON", async () => {
  const { code, stdout, stderr } = await runInProcess(["doctor", "--threads", "1", "--json", "--quiet"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const found = JSON.parse(stdout);
  const parts = ["installation", "processor", "memory", "adapters", "speed", "models", "hub"];
  expect(Object.keys(found)).toEqual(parts);
  expect(found.models).toHaveLength(9);
  expect(found.speed.bandwidth).toBeGreaterThan(0);
  expect(found.hub).toMatchObject({ repositories: expect.any(Array), prepared: expect.any(Array) });
});

slowTest("bench measures the bundled model; its table has a row for each part", async () => {
  const { code, stdout, stderr } = await run(["bench", "--json", "--threads", "1"]);
  expect(code).toBe(0);
  expect(stderr).toContain("measuring 3 beams");
  const figures = JSON.parse(stdout) as Figures;
  expect(figures).toMatchObject({ model: "tiny-openflamingo", shots: { shots: 4 }, beams: { beams: 3 } });
  expect(figures.memory.peak / figures.memory.forecast.total).toBeLessThan(2);
  const table = benchTable(figures);
  expect(table).toMatch(/^token +[\d.]+ ms +[\d.]+ tokens\/s +[\d.]+ GB\/s, \d+% of the machine's$/m);
  for (const row of ["image", "prompt of 32", "4 shots", "3 beams", "memory"]) {
    expect(table).toMatch(new RegExp(`^${row} +\\d`, "m"));
  }
});
