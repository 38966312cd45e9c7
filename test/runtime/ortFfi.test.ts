import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { afterAll, describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { type HostTensor, zeros } from "../../src/runtime/hostTensor.js";
import { openOrtApi } from "../../src/runtime/ortApi.node.js";
import { backendError } from "../../src/runtime/ortError.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { findOrtLibrary } from "../../src/runtime/ortLibrary.node.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { selfTest, selfTestProgram } from "../../src/runtime/selfTest.js";
import { slowTest } from "../slow.js";
import { runtimeCases } from "./conformance.js";
import { node, program } from "./onnxBytes.js";
import { addition, chain, floats, numbers, wrongShape } from "./programs.js";

runtimeCases(() => openOrtFfi(), { sideBySide: true });

const folder = mkdtempSync(join(tmpdir(), "openflamingo-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A float32 tensor in shared memory. */
const sharedFloats = (shape: readonly number[], values: ArrayLike<number>): HostTensor<"float32"> => {
  const data = new Float32Array(new SharedArrayBuffer(4 * values.length));
  data.set(values);
  return { dtype: "float32", shape, data };
};

const megabytesResident = (): number => {
  globalThis.gc!();
  return process.memoryUsage.rss() / 1e6;
};

describe("memory", () => {
  test("that is shared between threads is used as it is, for feeds, outputs and weights", async () => {
    await using runtime = await openOrtFfi();
    const { weights, ...rest } = chain(1, 3);
    const w = sharedFloats([3, 3], [2, 0, 0, 0, 2, 0, 0, 0, 2]);
    await using session = await runtime.load({ ...rest, weights: new Map([["w", w]]) });
    const y = sharedFloats([1, 3], [0, 0, 0]);
    await session.run({ x: sharedFloats([1, 3], [1, 2, 3]) }, { outputs: { y } });
    expect([...y.data]).toEqual([2, 4, 6]);
    expect(weights.size).toBe(1);
  });

  test("of weights is not copied unless they are prepacked", async () => {
    await using runtime = await openOrtFfi();
    const x = floats([1, 64], () => 1);
    for (const [prepack, after] of [
      [false, 0],
      [true, 64],
    ] as const) {
      const twice = chain(1, 64, () => 1);
      await using session = await runtime.load(twice, { prepack });
      ((twice.weights.get("w") as HostTensor).data as Float32Array).fill(0);
      const { y } = await session.run({ x });
      expect(numbers(y)[0]).toBe(after);
    }
  });

  slowTest("after opening, running and closing 100 times is what it was after 10", async () => {
    const width = 1024; // 4 MB of weights; prepacked, so the library holds a copy
    const model = chain(2, width, () => 0.001);
    const x = floats([8, width], () => 1);
    const resident: number[] = [];
    for (let round = 1; round <= 100; round++) {
      await using runtime = await openOrtFfi();
      const session = await runtime.load(model, { prepack: true });
      using bound = runtime.bind(x);
      await session.run({ x: bound });
      if (round === 10 || round === 100) resident.push(megabytesResident());
    }
    const [ten, hundred] = resident as [number, number];
    console.log(`resident after 10 rounds ${ten.toFixed(0)} MB, after 100 ${hundred.toFixed(0)} MB`);
    expect(hundred - ten).toBeLessThan(40);
  });

  slowTest("after 20,000 runs is what it was after 2,000, with some that fail", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `x${i}`);
    const type = ["float32", "n"] as const;
    const inputs = Object.fromEntries(names.map((name) => [name, type]));
    const feeds = Object.fromEntries(names.map((name) => [name, floats([3], () => 1)]));
    const a = floats([2, 3], () => 1);
    await using runtime = await openOrtFfi();
    await using sum = await runtime.load(program("sum", [node("Sum", names, ["y"])], inputs, { y: type }));
    await using failing = await runtime.load(wrongShape, { threads: 1 });
    const resident: number[] = [];
    for (let run = 1; run <= 20_000; run++) {
      await sum.run(feeds);
      if (run % 10 === 0) await failing.run({ a, b: a }).catch(() => {});
      if (run === 2_000 || run === 20_000) resident.push(megabytesResident());
    }
    const [few, many] = resident as [number, number];
    console.log(`resident after 2,000 runs ${few.toFixed(0)} MB, after 20,000 ${many.toFixed(0)} MB`);
    expect(many - few).toBeLessThan(40);
  });

  test("of a small array stays where its address says, as its buffer is asked for first", async () => {
    const api = await openOrtApi(findOrtLibrary());
    for (let i = 0; i < 100; i++) {
      const view = new BigUint64Array(1);
      const address = api.address(view);
      globalThis.gc!();
      view[0] = BigInt(i);
      expect([api.address(view), koffi.decode(address, "uint64")]).toEqual([address, i]);
    }
    // koffi 3 asks for it too: whether we do is seen only here.
    const view = new BigUint64Array(1);
    const { buffer } = view;
    let asked = 0;
    Object.defineProperty(view, "buffer", {
      get() {
        asked++;
        return buffer;
      },
    });
    api.address(view);
    expect(asked).toBe(1);
  });

  test("of an asynchronous call is not collected before the call is over", async () => {
    const api = await openOrtApi(findOrtLibrary());
    const options = api.create("CreateSessionOptions");
    const cell = new BigUint64Array(1);
    const begin = () => {
      const [bytes, keep] = [chain(2_000, 4).bytes.slice(), {}];
      const args = [api.environment, bytes, bytes.length, options, cell];
      const call = api.callAsync("CreateSessionFromArray", args, keep).catch(() => {}); // it has no weights: it fails
      return { call, used: [bytes, keep].map((object) => new WeakRef<object>(object)) };
    };
    const collected = (used: WeakRef<object>[]) => used.map((reference) => reference.deref() === undefined);
    /** WeakRefs hold on to their objects until the event loop has turned. */
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1)).then(() => globalThis.gc!());
    const { call, used } = begin();
    await turn();
    expect(collected(used)).toEqual([false, false]);
    await call;
    await turn();
    expect(collected(used)).toEqual([true, true]);
    api.release("SessionOptions", options);
  });
});

test("loading is stopped by a signal, and the runtime stays good", async () => {
  await using runtime = await openOrtFfi();
  const controller = new AbortController();
  const loading = runtime.load(chain(8_000, 4), { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 30);
  await expect(loading).rejects.toThrow("enough");
  await using session = await runtime.load(chain(1, 4));
  expect(await session.run({ x: zeros("float32", [1, 4]) })).toEqual({ y: zeros("float32", [1, 4]) });
});

test("loading is stopped by closing the runtime", async () => {
  const runtime = await openOrtFfi();
  const loading = expect(runtime.load(chain(4_000, 4))).rejects.toMatchObject({ code: "closed" });
  await runtime.close();
  await loading;
});

test.skipIf(process.platform === "win32")("nothing is printed, whatever fails", async () => {
  await using runtime = await openOrtFfi(); // before koffi loads anything else: see growAsyncStack
  const libc = koffi.load(null);
  const [dup, dup2] = [libc.func("int dup(int)"), libc.func("int dup2(int, int)")];
  const path = join(folder, "printed");
  const file = openSync(path, "w");
  const before = [1, 2].map((stream) => [stream, dup(stream)] as const);
  try {
    for (const [stream] of before) dup2(file, stream);
    await runtime.load({ ...addition, bytes: Uint8Array.of(1, 2, 3) }).catch(() => {});
    await using session = await runtime.load(wrongShape);
    const a = floats([2, 3], () => 1);
    await session.run({ a, b: a }).catch(() => {});
    await using long = await runtime.load(chain(60, 512, () => 0));
    const x = zeros("float32", [512, 512]);
    await long.run({ x }, { signal: AbortSignal.timeout(10) }).catch(() => {});
  } finally {
    for (const [stream, copy] of before) dup2(copy, stream);
    closeSync(file);
  }
  expect(readFileSync(path, "utf8")).toBe("");
});

describe("opening", () => {
  /** The error of a promise or a function. */
  const failure = async (act: () => unknown): Promise<OpenFlamingoError> => {
    try {
      await act();
    } catch (error) {
      if (error instanceof OpenFlamingoError) return error;
    }
    throw new Error("not one of our errors");
  };

  test("finds the library of this platform", () => {
    expect(findOrtLibrary()).toContain(join(process.platform, process.arch));
    expect(findOrtLibrary("darwin", "arm64")).toMatch(/libonnxruntime\.[\d.]*dylib$/);
    expect(findOrtLibrary("win32", "x64")).toMatch(/onnxruntime\.dll$/);
  });

  test("on a platform without a library says which have one", async () => {
    const { code, message, hint } = await failure(() => findOrtLibrary("darwin", "x64"));
    expect([code, message]).toEqual(["backend", "onnxruntime-node has no library for darwin x64"]);
    expect(hint).toMatch(/darwin arm64.*linux x64/);
  });

  test("without the package says how to install it", async () => {
    const missing = () => {
      throw new Error("Cannot find module 'onnxruntime-node/package.json'");
    };
    const { code, message, hint } = await failure(() => findOrtLibrary("linux", "x64", missing));
    expect([code, message]).toEqual(["backend", "the package onnxruntime-node is not installed"]);
    expect(hint).toMatch(/npm install/);
  });

  test("a library that does not load says why", async () => {
    const path = join(folder, "libonnxruntime.so.1");
    writeFileSync(path, "not a library");
    const { code, message, hint } = await failure(() => openOrtFfi({ library: path }));
    expect(code).toBe("backend");
    expect(message).toMatch(/^ONNX Runtime's library .*libonnxruntime.so.1 cannot be loaded: /);
    expect(hint).toMatch(/glibc/);
  });

  test("switches off what the library would report to its maker", async () => {
    await using _ = await openOrtFfi();
    expect(process.env).toMatchObject({ ORT_DISABLE_TELEMETRY: "1" });
  });

  test("gives name and version", async () => {
    await using runtime = await openOrtFfi();
    expect(runtime.name).toBe("ort.ffi");
    expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
  });
});

describe("the self-test", () => {
  test("has the model that it says it has", () => {
    const nodes = [node("MatMul", ["x", "w"], ["y"])];
    const { w } = Object.fromEntries(selfTestProgram.weights);
    const type = ["float32", "n", 2] as const;
    const written = program(
      "self-test",
      nodes,
      { x: type },
      { y: type },
      { weights: { w: w as HostTensor } },
    );
    expect(selfTestProgram.bytes).toEqual(written.bytes);
    expect(selfTestProgram.outputs).toEqual(written.outputs);
  });

  test("rejects a backend that computes wrongly", async () => {
    await using runtime = await openOrtFfi();
    const wrong: Runtime = {
      name: "wrong",
      version: "0.1.0",
      sharesWeights: true,
      bind: (tensor) => runtime.bind(tensor),
      close: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
      load: (model) => {
        const w = floats([2, 2], [2, 3, 5, 8]);
        return runtime.load({ ...model, weights: new Map([["w", w]]) });
      },
    };
    await expect(selfTest(wrong)).rejects.toMatchObject({
      code: "backend",
      message: "wrong 0.1.0 computes wrongly: a known product is 52,83,-2,-3, not 52,73,-2,-3",
      hint: expect.stringContaining("--backend"),
    });
  });
});

test.each([
  [
    "Non-zero status code returned while running Add node. Name:'' Status Message: " +
      "/onnxruntime_src/onnxruntime/core/framework/op_kernel.cc:83 virtual OrtValue* " +
      "onnxruntime::OpKernelContext::OutputMLValue(int, const onnxruntime::TensorShape&) " +
      "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : The output has shape {2,2}.\n",
    "Non-zero status code returned while running Add node. Name:'' Status Message: The output has shape {2,2}.",
  ],
  [
    "Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* " +
      "onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory",
    "not enough memory: Status Message: Failed to allocate memory",
  ],
  [
    "Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch",
    "Status Message: Compute MatMul dimension mismatch",
  ],
  ["Invalid output name: z", "Invalid output name: z"],
])("the backend's words %# are reported without the places in its code", (words, reported) => {
  expect(backendError("decode", new Error(words)).message).toBe(`decode: ${reported}`);
});
