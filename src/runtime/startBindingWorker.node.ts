/** Starting the worker thread of `ort.binding`. */
import { Worker, type WorkerOptions } from "node:worker_threads";
import { OpenFlamingoError } from "../base/errors.js";
import type { BindingHandlers } from "./ortBinding.worker.node.js";
import { silenceTelemetry } from "./ortLibrary.node.js";
import { WorkerCalls } from "./workerCalls.node.js";

export type BindingCalls = WorkerCalls<BindingHandlers>;

/**
 * Starts the worker and asks it which version of ONNX Runtime it has.
 *
 * @throws OpenFlamingoError "backend" when the worker's file or the package onnxruntime-node is missing or does not
 *   load
 */
export async function startBindingWorker(): Promise<{ calls: BindingCalls; version: string }> {
  silenceTelemetry(); // before the worker starts: it gets a copy of the environment
  const calls: BindingCalls = new WorkerCalls(startWorker);
  try {
    return { calls, version: await calls.call("version", undefined) };
  } catch (cause) {
    await calls.close();
    if (isWorkerMissing(cause)) throw workerMissing(cause);
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new OpenFlamingoError("backend", `the package onnxruntime-node cannot be loaded: ${words}`, {
      hint: "Install it with ONNXRUNTIME_NODE_INSTALL=skip in the environment: npm install onnxruntime-node",
      cause,
    });
  }
}

/** The worker's file stands beside this one, and is JavaScript or TypeScript like it. */
function startWorker(options: WorkerOptions): Worker {
  const here = import.meta.url as string | undefined;
  if (here === undefined) throw workerMissing("a bundle in CommonJS does not know where it lies");
  if (here.endsWith(".ts")) return fromSource(new URL("./ortBinding.worker.node.ts", here), options);
  // Bundlers find a worker that is written in just this way, and give it a file of its own.
  return new Worker(new URL("./ortBinding.worker.node.js", import.meta.url), options);
}

/** A worker in TypeScript, when the project runs from its source as in its tests: tsx reads it. */
function fromSource(file: URL, options: WorkerOptions): Worker {
  const start = `({ register }) => { register(); return import(${JSON.stringify(file.href)}); }`;
  return new Worker(`import("tsx/esm/api").then(${start})`, { ...options, eval: true });
}

/** Whether it is the worker's own file that is not there, and not a package that it needs. */
const isWorkerMissing = (error: unknown): boolean =>
  error instanceof Error && /^Cannot find module '[^']*ortBinding\.worker/.test(error.message);

const workerMissing = (cause: unknown): OpenFlamingoError =>
  new OpenFlamingoError(
    "backend",
    "the file of ort.binding's worker, ortBinding.worker.node.js, is missing",
    {
      hint: "Was the program bundled? Leave openflamingo out of the bundle: it is external, like its native packages.",
      cause,
    },
  );
