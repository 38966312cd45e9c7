/** Checkpoints that are loaded in few bits: large matrices are converted beside this thread, with threads that end. */
import { afterEach, expect, test, vi } from "vitest";
import { bundledModel } from "../../src/api/bundledModel.node.js";
import { openModel } from "../../src/api/load.js";
import { openOnRuntime } from "../../src/api/openOnRuntime.js";
import { node } from "../../src/api/platform.node.js";
import { elementCount } from "../../src/base/dtypes.js";
import type { Checkpoint } from "../../src/checkpoints/checkpoint.js";
import { readModelFolder } from "../../src/checkpoints/modelFolder.node.js";
import { mpt } from "../../src/models/mpt.js";
import { programsOf } from "../../src/runner/modelRunner.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { openKernelThreads } from "../../src/weights/kernelThreads.node.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { config, imageToken } from "../runner/smallModel.js";

const kernels = openKernelThreads(2);
const use = vi.fn(kernels.use);
const close = vi.fn(async () => {});
const openKernels = vi.fn(() => ({ use: use as typeof kernels.use, close }));
const platform = { ...node, openKernels };
afterEach(() => vi.clearAllMocks());

const description = await readModelFolder(bundledModel());

test.each([
  ["int4", 1],
  ["int8", 1],
  ["fp32", 0],
] as const)("as %s: threads are opened and closed %d times", async (weights, times) => {
  const opened = await openModel(platform, description, { weights, onNotice: () => {} });
  expect(openKernels).toHaveBeenCalledTimes(times);
  expect(close).toHaveBeenCalledTimes(times);
  expect(use).not.toHaveBeenCalled(); // its matrices are small
  await opened.close();
});

test("threads are closed where the model cannot be opened", async () => {
  const openRuntime = () => Promise.reject(new Error("none"));
  const opening = openModel({ ...platform, openRuntime }, description, {
    weights: "int4",
    onNotice: () => {},
  });
  await expect(opening).rejects.toThrow("none");
  expect(close).toHaveBeenCalledTimes(1);
});

test("a matrix of a million numbers is converted by the threads, to what this thread makes of it", async () => {
  const language = mpt({
    ...{ layers: 1, hiddenSize: 32, heads: 4, mlpRatio: 2, vocabulary: 2 ** 15, contextLength: 16 },
    alibiMax: 8,
  });
  const model = { ...config, language };
  const programs = programsOf(model, formatsOf("int4", { block: 32 }));
  const uses = programs.flatMap(({ weights }) => weights);
  const all: Checkpoint = {
    name: "all",
    tensors: new Map(uses.map(({ tensor, from }) => [tensor, { dtype: "float32", shape: from }])),
    async read(tensor, into) {
      for (let i = 0; i < into.length; i++) into[i] = Math.sin(i + tensor.length);
      return true;
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const none = { ...all, tensors: new Map() };
  const open = async (pool: typeof kernels | undefined) => {
    const toOpen = {
      ...{ config: model, name: "small", format: "int4" as const, others: [], programs, pool },
      tokenizer: { special: { image: imageToken } as never },
      checkpoints: { vision: none, language: none, flamingo: all },
    };
    const opened = await openOnRuntime(node, toOpen, { memoryCheck: "off" });
    const embedding = opened.runner.weights.get(`lang_encoder.${language.embedding}:values`) as HostTensor;
    expect(embedding.data.length).toBe(elementCount(embedding.shape));
    const { data } = embedding;
    await opened.close();
    return data;
  };
  const onThreads = await open({ ...kernels, use: use as typeof kernels.use });
  expect(use).toHaveBeenCalled();
  expect(Buffer.compare(onThreads as Uint8Array, (await open(undefined)) as Uint8Array)).toBe(0);
  await kernels.close();
});
