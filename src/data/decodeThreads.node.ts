/**
 * Decoding on threads of its own, so that this one is free for the step. What a thread cannot do, because it does not
 * start or has ended, is done here: the pixels are the same.
 */
import { Worker, type WorkerOptions } from "node:worker_threads";
import { OpenFlamingoError } from "../base/errors.js";
import type { Preprocessing } from "../images/index.js";
import { WorkerCalls } from "../runtime/workerCalls.node.js";
import type { DecodeHandlers } from "./decode.worker.node.js";
import { decodeForTraining } from "./decodeImage.node.js";

export interface DecodeThreads {
  /**
   * @param wanted whether pixels are needed; otherwise the file is decoded only to see that it can be
   * @returns float32 (3, S, S); undefined for a file that cannot be decoded
   */
  decode(file: Uint8Array, wanted: boolean): Promise<Float32Array | undefined>;
  /** How many threads take images now. */
  running(): number;
  /** Ends the threads once they rest. */
  close(): Promise<void>;
}

interface Thread {
  readonly calls: WorkerCalls<DecodeHandlers>;
  waiting: number;
}

/**
 * Threads that are started with the first image, and do not keep the process alive.
 *
 * @param options.count how many; 0 decodes on this thread
 * @param options.start starts one, for tests
 */
export function createDecodeThreads(
  preprocessing: Preprocessing,
  {
    count,
    maxSeconds,
    signal,
    start = startWorker,
  }: {
    readonly count: number;
    readonly maxSeconds: number;
    readonly signal?: AbortSignal | undefined;
    readonly start?: ((options: WorkerOptions) => Worker) | undefined;
  },
): DecodeThreads {
  let threads: Thread[] | undefined;
  const open = (): Thread[] => {
    try {
      return Array.from({ length: count }, () => ({
        calls: new WorkerCalls<DecodeHandlers>(start),
        waiting: 0,
      }));
    } catch (error) {
      // In a worker of our own the program runs for a second time, and must not go on.
      if (error instanceof OpenFlamingoError) throw error;
      return [];
    }
  };
  return {
    async decode(file, wanted) {
      signal?.throwIfAborted();
      threads ??= open();
      const thread = threads.reduce<Thread | undefined>(
        (least, each) => (least === undefined || each.waiting < least.waiting ? each : least),
        undefined,
      );
      if (thread) {
        thread.waiting++;
        try {
          return await thread.calls.call("decode", { file, preprocessing, wanted, maxSeconds });
        } catch {
          threads = threads.filter((each) => each !== thread);
          void thread.calls.close();
        } finally {
          thread.waiting--;
        }
        signal?.throwIfAborted();
      }
      return decodeForTraining(file, preprocessing, { wanted, maxSeconds, signal });
    },
    running: () => threads?.length ?? 0,
    async close() {
      const open = threads ?? [];
      threads = [];
      await Promise.all(open.map(({ calls }) => calls.close()));
    },
  };
}

/** The worker's file stands beside this one, and is JavaScript or TypeScript like it. */
function startWorker(options: WorkerOptions): Worker {
  const here = import.meta.url;
  if (here.endsWith(".ts")) return fromSource(new URL("./decode.worker.node.ts", here), options);
  // Bundlers find a worker that is written in just this way, and give it a file of its own.
  return new Worker(new URL("./decode.worker.node.js", import.meta.url), options);
}

/** A worker in TypeScript, when the project runs from its source as in its tests: tsx reads it. */
function fromSource(file: URL, options: WorkerOptions): Worker {
  const start = `({ register }) => { register(); return import(${JSON.stringify(file.href)}); }`;
  return new Worker(`import("tsx/esm/api").then(${start})`, { ...options, eval: true });
}
