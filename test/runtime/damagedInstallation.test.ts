/** Packages that are missing, damaged or of another version: each is reported with what to install. */
import { createRequire } from "node:module";
import { afterEach, expect, test, vi } from "vitest";
import * as errors from "../../src/base/errors.js";
import { golden } from "../goldens.js";
import { chain } from "./programs.js";

// The one class of errors, whose messages are noted, also for modules that are loaded anew.
vi.doMock("../../src/base/errors.js", () => errors);

afterEach(() => {
  vi.doUnmock("koffi");
  vi.doUnmock("../../src/runtime/workerCalls.node.js");
  vi.doUnmock("node:worker_threads");
  vi.doUnmock("sharp");
  vi.resetModules();
  vi.unstubAllEnvs();
});

const openFfi = async () => (await import("../../src/runtime/ortFfi.node.js")).openOrtFfi();
const real = createRequire(import.meta.url)("koffi");
const koffiWith = (changes: object) => vi.doMock("koffi", () => ({ default: { ...real, ...changes } }));

test("koffi without its binary", async () => {
  vi.doMock("koffi", () => {
    throw new Error("Cannot find the native Koffi module");
  });
  await expect(openFfi()).rejects.toMatchObject({
    code: "backend",
    message: "the package koffi, which calls ONNX Runtime, cannot be loaded",
    hint: expect.stringContaining("npm install"),
  });
});

test("an ONNX Runtime that is too old", async () => {
  koffiWith({ call: () => "1.9.0" });
  await expect(openFfi()).rejects.toMatchObject({
    code: "backend",
    message: expect.stringMatching(/^ONNX Runtime is 1\.9\.0, needed is 1\.\d+ or later$/),
  });
});

test("a koffi that somebody else has set up with too small a stack", async () => {
  koffiWith({
    config: (changes?: object) => {
      if (changes) throw new Error("Cannot change configuration once Koffi has been used");
      return { async_stack_size: 65_536 };
    },
  });
  await expect(openFfi()).rejects.toMatchObject({
    code: "backend",
    message: "koffi was used before with a stack that is too small for the backend",
    hint: expect.stringContaining("koffi.config({ async_stack_size: 2097152 })"),
  });
});

test("no folder for temporary files", async () => {
  await using runtime = await openFfi();
  for (const name of ["TMPDIR", "TEMP", "TMP"]) vi.stubEnv(name, "/nowhere/at/all");
  await expect(runtime.load(chain(1, 64))).rejects.toMatchObject({
    code: "disk",
    message: "no temporary files can be made in /nowhere/at/all",
  });
});

test.each([
  [
    "an onnxruntime-node that does not load",
    "Cannot find package 'onnxruntime-node' imported from /app/ortBinding.worker.node.js",
    "the package onnxruntime-node cannot be loaded: Cannot find package 'onnxruntime-node' imported from /app/ortBinding.worker.node.js",
  ],
  [
    "a worker whose file a bundler left out",
    "Cannot find module '/app/out/ortBinding.worker.node.js'",
    "the file of ort.binding's worker, ortBinding.worker.node.js, is missing",
  ],
  [
    "the same on Windows",
    "Cannot find module 'C:\\app\\out\\ortBinding.worker.node.js'",
    "the file of ort.binding's worker, ortBinding.worker.node.js, is missing",
  ],
])("%s", async (_, words, message) => {
  const close = vi.fn(async () => {});
  vi.doMock("../../src/runtime/workerCalls.node.js", () => ({
    WorkerCalls: class {
      call = () => Promise.reject(new Error(words));
      close = close;
    },
  }));
  const { openOrtBinding } = await import("../../src/runtime/ortBinding.node.js");
  await expect(openOrtBinding()).rejects.toMatchObject({ code: "backend", message });
  expect(close).toHaveBeenCalled();
});

test("a program that runs in place of the worker opens no backend, nor another worker", async () => {
  const threads = await import("node:worker_threads");
  const start = vi.fn();
  vi.doMock("node:worker_threads", () => ({
    ...threads,
    Worker: start,
    workerData: { openflamingoWorker: new Int32Array(1) },
  }));
  const { openRuntime } = await import("../../src/runtime/openRuntime.node.js");
  const { openOrtBinding } = await import("../../src/runtime/ortBinding.node.js");
  const opening = [openRuntime(), openRuntime("ort.ffi"), openRuntime("ort.binding"), openOrtBinding()];
  for (const outcome of await Promise.allSettled(opening)) {
    expect(outcome).toMatchObject({
      reason: {
        code: "backend",
        message: "the program runs in place of the worker that ort.binding started",
        hint: expect.stringContaining("bundle"),
      },
    });
  }
  expect(start).not.toHaveBeenCalled();
});

test.each([undefined, null, 7, "text", {}, { state: new Int32Array(1) }])(
  "a worker of the user's own, given %s, opens a backend",
  async (workerData) => {
    const threads = await import("node:worker_threads");
    vi.doMock("node:worker_threads", () => ({ ...threads, workerData }));
    const { openRuntime } = await import("../../src/runtime/openRuntime.node.js");
    const runtime = await openRuntime();
    expect(runtime.name).toBe("ort.ffi");
    await runtime.close();
  },
);

test("sharp without its binary: the model loads, and the first image says so", async () => {
  vi.doMock("sharp", () => {
    throw new Error("not reached: vitest has words of its own for a mock that throws");
  });
  const { load } = await import("../../src/api/load.node.js");
  await using flamingo = await load();
  await expect(flamingo.caption(golden("photos/rocket.jpg"))).rejects.toMatchObject({
    code: "backend",
    // One line of the cause, and no more.
    message: expect.stringMatching(
      /^the package sharp, which decodes images, cannot be loaded: .*error when mocking a module.*$/,
    ),
    hint: expect.stringContaining("npm install"),
  });
});
