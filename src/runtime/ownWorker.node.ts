/** Knowing a worker thread of our own from inside: it never starts another, nor loads a model. */
import { workerData } from "node:worker_threads";
import { OpenFlamingoError } from "../base/errors.js";

/** What our workers are given, and nobody else's. */
export interface OwnWorkerData {
  /** Memory in which the two threads say what the worker does. */
  readonly openflamingoWorker: Int32Array;
}

/**
 * A program that runs in place of the worker's own file, as after a mistake in bundling, would start itself without
 * end.
 *
 * @throws OpenFlamingoError "backend" in a worker thread that this package started
 */
export function rejectInOwnWorker(): void {
  const data: unknown = workerData;
  if (typeof data !== "object" || data === null || !("openflamingoWorker" in data)) return;
  throw new OpenFlamingoError("backend", "the program runs in place of the worker that ort.binding started", {
    hint: "Was it bundled? Leave openflamingo out of the bundle: it is external, like its native packages.",
  });
}
