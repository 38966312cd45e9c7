import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { type HostTensor, zeros } from "../../src/runtime/hostTensor.js";
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import { slowTest } from "../slow.js";
import { runtimeCases } from "./conformance.js";
import { addition, chain, floats } from "./programs.js";

runtimeCases(openOrtBinding, { sideBySide: false });

const a = floats([1, 3], [1, 2, 3]);
const doubled = { sum: floats([1, 3], [2, 4, 6]) };

/** A float32 tensor in shared memory. */
const sharedFloats = (shape: readonly number[], values: ArrayLike<number>): HostTensor<"float32"> => {
  const data = new Float32Array(new SharedArrayBuffer(4 * values.length));
  data.set(values);
  return { dtype: "float32", shape, data };
};

test("memory that is shared between threads, which the binding rejects, is copied", async () => {
  await using runtime = await openOrtBinding();
  const w = sharedFloats([3, 3], [2, 0, 0, 0, 2, 0, 0, 0, 2]);
  await using session = await runtime.load({ ...chain(1, 3), weights: new Map([["w", w]]) });
  const y = sharedFloats([1, 3], [0, 0, 0]);
  await session.run({ x: sharedFloats([1, 3], [1, 2, 3]) }, { outputs: { y } });
  expect([...y.data]).toEqual([2, 4, 6]);
});

test("loading is given up by a signal at once, and the runtime stays good", async () => {
  await using runtime = await openOrtBinding();
  const controller = new AbortController();
  const loading = runtime.load(chain(8_000, 4), { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 30);
  await expect(loading).rejects.toThrow("enough");
  await using session = await runtime.load(addition);
  expect(await session.run({ a, b: a })).toEqual(doubled);
});

test("what a stopped run computes is not written", async () => {
  await using runtime = await openOrtBinding();
  await using session = await runtime.load(chain(60, 512, () => 0));
  const y = floats([512, 512], () => 7);
  const signal = AbortSignal.timeout(10);
  await expect(
    session.run({ x: zeros("float32", [512, 512]) }, { outputs: { y }, signal }),
  ).rejects.toThrow();
  await session.run({ x: zeros("float32", [1, 512]) });
  expect(y.data.every((value) => value === 7)).toBe(true);
});

test("when the worker dies, runs that wait and all that is asked for later are rejected", async () => {
  const started = new Promise<Worker>((resolve) => process.once("worker", resolve));
  await using runtime = await openOrtBinding();
  const session = await runtime.load(addition);
  const worker = await started;
  const rejected = { code: "backend", message: "addition failed: the worker thread has ended" };
  // The worker is at rest: one that is ended in the middle of a run takes the process with it.
  const dying = worker.terminate();
  const runs = [session.run({ a, b: a }), session.run({ a, b: a })];
  await Promise.all(runs.map((run) => expect(run).rejects.toMatchObject(rejected)));
  await dying;
  await expect(session.run({ a, b: a })).rejects.toMatchObject(rejected);
  await expect(runtime.load(addition)).rejects.toMatchObject({
    code: "backend",
    message: "addition cannot be loaded: the worker thread has ended",
  });
  await session.close();
});

/** Runs a module in a process of its own. */
async function inProcess(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const imports = `
    import { openOrtBinding } from "./src/runtime/ortBinding.node.js";
    import { node, program } from "./test/runtime/onnxBytes.js";
    import { addition, chain, floats } from "./test/runtime/programs.js";
    const runtime = await openOrtBinding();
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", imports + script];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd, timeout: 30_000 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test("nothing is printed, whatever fails, and a runtime left open does not keep the process alive", async () => {
  const result = await inProcess(`
    await runtime.load({ ...addition, bytes: Uint8Array.of(1, 2, 3) }).catch(() => console.log("no model"));
    const ports = { a: ["float32", "n"], b: ["float32", "m"] };
    const unequal = program("unequal", [node("Add", ["a", "b"], ["sum"])], ports, { sum: ["float32", "n"] });
    const session = await runtime.load(unequal);
    const feeds = { a: floats([2], () => 1), b: floats([3], () => 1) };
    await session.run(feeds).catch((error) => console.log(error.message));
  `);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(result.stdout).toMatch(/^no model\nunequal failed: .*Add.*\n$/);
});

test("a process that ends in the middle of a run ends as it wants to", async () => {
  const result = await inProcess(`
    const session = await runtime.load(chain(60, 512, () => 0));
    const x = floats([512, 512], () => 0);
    for (let i = 0; i < 3; i++) session.run({ x });
    setTimeout(() => process.exit(3), 30);
  `);
  expect(result).toEqual({ code: 3, stdout: "", stderr: "" });
});

slowTest("memory after opening, running and closing 30 times is what it was after 10", async () => {
  const model = chain(2, 1024, () => 0.001); // 4 MB of weights
  const x = floats([8, 1024], () => 1);
  const resident: number[] = [];
  for (let round = 1; round <= 30; round++) {
    await using runtime = await openOrtBinding();
    const session = await runtime.load(model, { prepack: true });
    await session.run({ x });
    await session.run({ x });
    if (round % 10 !== 0) continue;
    globalThis.gc!();
    resident.push(process.memoryUsage.rss() / 1e6);
  }
  console.log(`resident after 10, 20, 30 rounds: ${resident.map((mb) => mb.toFixed(0)).join(", ")} MB`);
  expect(resident[2]! - resident[0]!).toBeLessThan(40);
});

describe("opening", () => {
  test("gives name and version", async () => {
    await using runtime = await openOrtBinding();
    expect(runtime.name).toBe("ort.binding");
    expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
  });

  test("switches off what the library would report to its maker", async () => {
    await using _ = await openOrtBinding();
    expect(process.env).toMatchObject({ ORT_DISABLE_TELEMETRY: "1" });
  });
});
