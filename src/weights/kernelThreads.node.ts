/** Kernels on threads of their own, one for each core: the memory of each is seen by its thread and by this one. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { onFirstUse } from "../base/onFirstUse.js";
import { createMemory } from "../base/wasm.js";
import { type Kernel, type OpenKernelPool, poolOf } from "./kernelPool.js";
import { kernelMemory, kernelModule } from "./quantizeKernel.js";

/** This thread fills and empties the memories, and has no time for more. */
const mostThreads = 8;

/** The whole program of a thread. As a text it needs no file, which a bundler would have to find. */
const program = `
const { parentPort, workerData } = require("node:worker_threads");
const { module, memory } = workerData;
const { exports } = new WebAssembly.Instance(module, { host: { memory } });
parentPort.on("message", ({ name, values }) => {
  exports[name](...values);
  parentPort.postMessage(undefined);
});`;

/** Threads that are started at first use, ended by `close`, and do not keep the process alive. */
export function openKernelThreads(
  count: number = Math.min(availableParallelism(), mostThreads),
): OpenKernelPool & AsyncDisposable {
  const threads: ReturnType<typeof startThread>[] = [];
  const pool = onFirstUse(async () => {
    threads.push(...Array.from({ length: count }, startThread));
    return poolOf(threads);
  });
  const close = async () => void (await Promise.all(threads.map(({ worker }) => worker.terminate())));
  return { use: async (work) => (await pool()).use(work), close, [Symbol.asyncDispose]: close };
}

function startThread(): Kernel & { readonly worker: Worker } {
  const memory = createMemory(kernelMemory);
  // Without the options of this process, which may be a loader or another kind of module.
  const worker = new Worker(program, {
    ...{ eval: true, execArgv: [], workerData: { module: kernelModule(), memory } },
  });
  worker.unref();
  let settle: { resolve(): void; reject(error: Error): void } | undefined;
  worker.on("message", () => settle?.resolve());
  worker.on("error", (error) => settle?.reject(error as Error));
  worker.on("exit", () => settle?.reject(new Error("the kernel's thread was ended")));
  const run = async (name: string, ...values: readonly number[]) => {
    worker.ref();
    try {
      await new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
        worker.postMessage({ name, values });
      });
    } finally {
      worker.unref();
    }
  };
  return { memory, run, worker };
}
