/** Kernels of WebAssembly, each with a memory of its own, lent to one user at a time. */
import type { WasmMemory } from "../base/wasm.js";

export interface Kernel {
  readonly memory: WasmMemory;
  /** Calls a function of the kernel's module, on whatever thread it is. */
  run(name: string, ...values: readonly number[]): Promise<void>;
}

export interface KernelPool {
  /** Does some work with a kernel, as soon as one is free. */
  use<T>(work: (kernel: Kernel) => Promise<T>): Promise<T>;
}

/** One that is closed when there is no more work. */
export interface OpenKernelPool extends KernelPool {
  close(): Promise<void>;
}

export function poolOf(kernels: readonly Kernel[]): KernelPool {
  const free = [...kernels];
  const waiting: ((kernel: Kernel) => void)[] = [];
  return {
    async use(work) {
      const kernel = free.pop() ?? (await new Promise<Kernel>((resolve) => waiting.push(resolve)));
      try {
        return await work(kernel);
      } finally {
        const next = waiting.shift();
        if (next) next(kernel);
        else free.push(kernel);
      }
    },
  };
}
