/**
 * The thread of `ort.binding`. The package onnxruntime-node keeps the thread that calls it busy until a session stands
 * or a run is over, and copies every output: so it works here, one call after the other.
 *
 * At run time this file needs no other of the project, only types: it can be copied beside a bundle.
 */
import { parentPort, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";
import type { HostTensor } from "./hostTensor.js";
import type { OwnWorkerData } from "./ownWorker.node.js";
import type { Answer, Call } from "./workerCalls.node.js";

/** What the main thread may ask for; sessions go by numbers that it gives them. */
export type BindingHandlers = typeof handlers;

interface Load {
  readonly session: number;
  readonly model: Uint8Array;
  /** The memory of each weight, by its location in the model; none where they are in the files of `folder`. */
  readonly weights: { readonly path: string; readonly data: Uint8Array }[];
  readonly folder: string | undefined;
  readonly threads: number;
  readonly prepack: boolean;
}

interface Run {
  readonly session: number;
  readonly inputs: ReadonlyMap<string, HostTensor>;
  /** The outputs to compute, each with the input in whose memory it is to be written, if any. */
  readonly outputs: ReadonlyMap<string, string | undefined>;
}

/** An output as the backend made it. */
export interface Computed {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const sessions = new Map<number, ort.InferenceSession>();

const handlers = {
  version: () => ort.env.versions.node!,

  async load({ session, model, weights, folder, threads, prepack }: Load): Promise<void> {
    // The same settings as those of `ort.ffi`, where their reasons are written.
    const extra = {
      session: {
        disable_prepacking: prepack ? "0" : "1",
        intra_op: { allow_spinning: "0" },
        ...(folder !== undefined && { model_external_initializers_file_folder_path: folder }),
      },
      optimization: { disable_specified_optimizers: "ConstantFolding" },
    };
    const created = await ort.InferenceSession.create(model, {
      ...{ intraOpNumThreads: threads, graphOptimizationLevel: "extended", logSeverityLevel: 4 },
      enableMemPattern: false,
      ...(folder === undefined && { externalData: weights }),
      extra,
    });
    sessions.set(session, created);
  },

  async run({ session, inputs, outputs }: Run): Promise<Computed[]> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [name, { dtype, data, shape }] of inputs) {
      feeds[name] = new ort.Tensor(dtype as "float32", data as Float32Array, shape);
    }
    // A tensor that is given to be written is copied all the same, but what the kernel leaves alone stays as it was.
    const fetches: Record<string, ort.Tensor | null> = {};
    for (const [name, input] of outputs) fetches[name] = input === undefined ? null : feeds[input]!;
    const results = await sessions.get(session)!.run(feeds, fetches as ort.InferenceSession.FetchesType);
    return [...outputs.keys()].map((name) => {
      const { dims, data } = results[name]!;
      const { buffer, byteOffset, byteLength } = data as Float32Array<ArrayBuffer>;
      return { shape: dims, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
    });
  },

  async release(session: number): Promise<void> {
    await sessions.get(session)?.release();
    sessions.delete(session);
  },
};

/** What the thread does, in memory that the caller sees: the numbers of `workerCalls.node.ts`. */
const [resting, working, stopped] = [0, 1, 2];

async function answer({ id, name, argument }: Call): Promise<void> {
  const { openflamingoWorker: state } = workerData as OwnWorkerData;
  if (Atomics.compareExchange(state, 0, resting, working) === stopped) return;
  try {
    const result = await handlers[name as keyof BindingHandlers](argument as never);
    // The buffers of outputs leave this thread as they are.
    const buffers = Array.isArray(result) ? result.map(({ bytes }) => bytes.buffer) : [];
    parentPort!.postMessage({ id, result } satisfies Answer, buffers);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    parentPort!.postMessage({ id, error: words } satisfies Answer);
  } finally {
    Atomics.store(state, 0, resting);
    Atomics.notify(state, 0);
  }
}

ort.env.logLevel = "fatal"; // nothing is printed: errors come back as such
let turn = Promise.resolve();
parentPort!.on("message", (call: Call) => {
  turn = turn.then(() => answer(call));
});
