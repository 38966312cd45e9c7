/** A thread that decodes images for training, one after the other: decoding and resizing are half a step's time. */
import { parentPort, workerData } from "node:worker_threads";
import type { Preprocessing } from "../images/index.js";
import type { OwnWorkerData } from "../runtime/ownWorker.node.js";
import type { Answer, Call } from "../runtime/workerCalls.node.js";
import { decodeForTraining } from "./decodeImage.node.js";

export interface DecodeCall {
  readonly file: Uint8Array;
  readonly preprocessing: Preprocessing;
  readonly wanted: boolean;
  readonly maxSeconds: number;
}

/** What the main thread may ask for. */
export interface DecodeHandlers {
  readonly [name: string]: (argument: never) => unknown;
  decode(call: DecodeCall): Promise<Float32Array | undefined>;
}

/** What the thread does, in memory that the caller sees: the numbers of `workerCalls.node.ts`. */
const [resting, working, stopped] = [0, 1, 2];

async function answer({ id, argument }: Call): Promise<void> {
  const { openflamingoWorker: state } = workerData as OwnWorkerData;
  if (Atomics.compareExchange(state, 0, resting, working) === stopped) return;
  try {
    const { file, preprocessing, ...options } = argument as DecodeCall;
    const result = await decodeForTraining(file, preprocessing, options);
    parentPort!.postMessage({ id, result } satisfies Answer, result ? [result.buffer as ArrayBuffer] : []);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    parentPort!.postMessage({ id, error: words } satisfies Answer);
  } finally {
    Atomics.store(state, 0, resting);
    Atomics.notify(state, 0);
  }
}

let turn = Promise.resolve();
parentPort!.on("message", (call: Call) => {
  turn = turn.then(() => answer(call));
});
