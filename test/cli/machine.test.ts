/** `doctor` and `bench` as processes: whatever the speed, the answer has its form. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { benchTable, type Figures } from "../../src/cli/bench.js";
import { run } from "./run.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("doctor: what is there, as JSON", async () => {
  const { code, stdout, stderr } = await run(["doctor", "--threads", "1", "--json", "--quiet"]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const found = JSON.parse(stdout);
  const parts = ["installation", "processor", "memory", "adapters", "speed", "models", "hub"];
  expect(Object.keys(found)).toEqual(parts);
  expect(found.models).toHaveLength(9);
  expect(found.speed.bandwidth).toBeGreaterThan(0);
  expect(found.hub).toMatchObject({ repositories: expect.any(Array), prepared: expect.any(Array) });
});

test("doctor: as a table, with what is wrong, which gives the exit code", async () => {
  const env = { ...process.env, HF_ENDPOINT: "ftp://example.org" };
  const child = spawn(process.execPath, [main, "doctor", "--threads", "1"], { env });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (data) => {
      texts[name] += data;
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  const { stdout, stderr } = texts;
  expect(stdout).toMatch(/^ort\.ffi +ONNX Runtime \d/m);
  expect(stdout).toMatch(/^memory +[\d.]+ [MG]B free of [\d.]+ GB/m);
  expect(stdout).toMatch(/^9B-vitl-mpt7b +int4 +6\.\d GB +(fits|too large) +[\d.]+ tokens\/s at most$/m);
  expect(stdout).toMatch(/^hub +WRONG: HF_ENDPOINT is/m);
  expect(stdout).toMatch(/^ +HF_ENDPOINT=https:\/\/huggingface\.co/m);
  expect(stderr).toContain("measuring reading float32");
  expect(code).toBe(2);
});

test("bench measures the bundled model; its table has a row for each part", async () => {
  const { code, stdout, stderr } = await run(["bench", "--json", "--threads", "1"]);
  expect(code).toBe(0);
  expect(stderr).toContain("measuring 3 beams");
  const figures = JSON.parse(stdout) as Figures;
  expect(figures).toMatchObject({ model: "tiny-openflamingo-9b", shots: { shots: 4 }, beams: { beams: 3 } });
  expect(figures.memory.peak / figures.memory.forecast.total).toBeLessThan(2);
  const table = benchTable(figures);
  expect(table).toMatch(/^token +[\d.]+ ms +[\d.]+ tokens\/s +[\d.]+ GB\/s, \d+% of the machine's$/m);
  for (const row of ["image", "prompt of 32", "4 shots", "3 beams", "memory"]) {
    expect(table).toMatch(new RegExp(`^${row} +\\d`, "m"));
  }
});
