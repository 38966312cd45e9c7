/**
 * Calls into a worker thread: each is a message and is answered by one; when the thread ends, all that wait fail.
 *
 * A thread that is ended inside native code can take the process with it. So it is only ever ended at rest, also by
 * the end of the process.
 */
import type { Transferable, Worker, WorkerOptions } from "node:worker_threads";
import { type OwnWorkerData, rejectInOwnWorker } from "./ownWorker.node.js";

/** What a worker can be asked: functions of one argument, which travels to it and is not shared. */
export type Handlers = { readonly [name: string]: (argument: never) => unknown };

/** What the worker does, in memory that both threads see. */
const [resting, working, stopped] = [0, 1, 2];

/** A message to the worker. */
export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

/** Its answer: the result, or the words of the error. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** The side of the caller. The worker's is in `ortBinding.worker.node.ts`. */
export class WorkerCalls<H extends Handlers> {
  readonly #worker: Worker;
  readonly #state = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  /** When all calls so far are answered. */
  #idle: Promise<void> = Promise.resolve();
  /** Why there can be no more calls. */
  #ended: Error | undefined;

  /**
   * @param start starts the worker with these options
   * @throws OpenFlamingoError "backend" in a worker that was started in this way; what `start` throws
   */
  constructor(start: (options: WorkerOptions) => Worker) {
    rejectInOwnWorker();
    const workerData: OwnWorkerData = { openflamingoWorker: this.#state };
    this.#worker = start({ workerData });
    this.#worker.on("message", (answer: Answer) => this.#settle(answer));
    this.#worker.on("error", (error) => this.#end(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", () => this.#end(new Error("the worker thread has ended")));
    process.on("exit", this.#stop);
  }

  /**
   * @param transfer buffers of the argument that may go to the worker as they are; all others are copied
   * @throws Error with the worker's words, and when its thread has ended
   */
  call<N extends string & keyof H>(
    name: N,
    argument: Parameters<H[N]>[0],
    transfer: readonly Transferable[] = [],
  ): Promise<Awaited<ReturnType<H[N]>>> {
    const answer = new Promise<Awaited<ReturnType<H[N]>>>((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      const call: Call = { id: this.#calls++, name, argument };
      this.#worker.postMessage(call, [...transfer]);
      this.#waiting.set(call.id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.ref();
    });
    // Without its result: each promise of this chain would hold those of all calls before.
    this.#idle = Promise.allSettled([this.#idle, answer]).then(() => undefined);
    return answer;
  }

  /** Ends the thread once all calls are answered. Harmless when repeated. */
  async close(): Promise<void> {
    this.#ended ??= new Error("the worker thread was closed");
    await this.#idle;
    await this.#worker.terminate();
  }

  /** Waits until the worker rests, and lets it begin nothing more. */
  readonly #stop = (): void => {
    while (Atomics.compareExchange(this.#state, 0, resting, stopped) === working) {
      Atomics.wait(this.#state, 0, working);
    }
  };

  #settle(answer: Answer): void {
    const { resolve, reject } = this.#waiting.get(answer.id)!;
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref(); // what nobody waits for does not keep the process alive
    if ("error" in answer) reject(new Error(answer.error));
    else resolve(answer.result);
  }

  #end(error: Error): void {
    process.off("exit", this.#stop);
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
