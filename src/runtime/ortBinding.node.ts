/**
 * `ort.binding`: ONNX Runtime through the binding that its package brings, in a worker thread. It needs no other native
 * package and is slower than `ort.ffi`: tensors travel to the thread and back as copies, sessions take turns, and a run
 * cannot be stopped in the middle (its promise is settled at once all the same; what comes of it is thrown away).
 */
import { availableParallelism } from "node:os";
import { bug } from "../base/errors.js";
import { faultOf, type HostTensor, requireFixedMemory } from "./hostTensor.js";
import { BindingSession, copyOf, orStopped } from "./ortBindingSession.node.js";
import { backendError } from "./ortError.js";
import { checkProgram } from "./plan.js";
import {
  type BoundTensor,
  closedError,
  type Feed,
  folderOfWeights,
  hasQuantisedWeights,
  isInFile,
  type LoadOptions,
  type Program,
  type Runtime,
  type Session,
  weightLocation,
} from "./runtime.js";
import { selfTest } from "./selfTest.js";
import { type BindingCalls, startBindingWorker } from "./startBindingWorker.node.js";
import { requireThreads } from "./threads.js";

/**
 * Starts the worker and lets it compute one known result.
 *
 * @throws OpenFlamingoError "backend" when the worker's file or the package is missing, does not load or computes
 *   wrongly
 */
export async function openOrtBinding(): Promise<Runtime> {
  const { calls, version } = await startBindingWorker();
  const runtime = new BindingRuntime(calls, version);
  try {
    await selfTest(runtime);
    return runtime;
  } catch (error) {
    await runtime.close();
    throw error;
  }
}

class BindingRuntime implements Runtime {
  readonly name = "ort.binding";
  readonly sharesWeights = false;
  readonly version: string;
  readonly #calls: BindingCalls;
  readonly #sessions = new Set<BindingSession>();
  /** The tensors that are bound now. Binding only marks them: their data travels with every run. */
  readonly #bound = new Set<Feed>();
  #loads = 0;
  #closing: Promise<void> | undefined;

  constructor(calls: BindingCalls, version: string) {
    this.#calls = calls;
    this.version = version;
  }

  async load(program: Program, options: LoadOptions = {}): Promise<Session> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#requireOpen();
    requireThreads(options.threads);
    checkProgram(program);
    const number = this.#loads++;
    const loading = this.#load(number, program, options);
    try {
      await orStopped(loading, signal);
      this.#requireOpen();
    } catch (error) {
      loading.then(() => this.#calls.call("release", number)).catch(() => {}); // nobody waits for it any more
      signal?.throwIfAborted();
      this.#requireOpen();
      throw backendError(`${program.name} cannot be loaded`, error);
    }
    const session = new BindingSession({
      calls: this.#calls,
      program,
      number,
      bound: this.#bound,
      onClose: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    return session;
  }

  /** The worker gets copies of the weights and the backend makes its own from them; the worker's are gone then. */
  async #load(
    session: number,
    program: Program,
    { threads = availableParallelism(), prepack = hasQuantisedWeights(program) }: LoadOptions,
  ): Promise<void> {
    const model = program.bytes.slice();
    const folder = folderOfWeights(program);
    const weights = Array.from(program.weights).flatMap(([name, weight]) =>
      isInFile(weight)
        ? []
        : [{ path: weightLocation(name), data: new Uint8Array(copyOf(weight).data.buffer as ArrayBuffer) }],
    );
    const buffers = [model, ...weights.map(({ data }) => data)].map(({ buffer }) => buffer);
    await this.#calls.call("load", { session, model, weights, folder, threads, prepack }, buffers);
  }

  bind(tensor: HostTensor): BoundTensor {
    this.#requireOpen();
    requireFixedMemory("the tensor to be bound", tensor.data);
    const fault = faultOf(tensor);
    if (fault !== undefined) throw bug("backend", `the tensor to be bound ${fault}`);
    const release = () => void this.#bound.delete(bound);
    const bound: BoundTensor = { tensor, release, [Symbol.dispose]: release };
    this.#bound.add(bound);
    return bound;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#sessions, (session) => session.close()));
    await this.#calls.close();
    this.#bound.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closedError(`the runtime ${this.name}`);
  }
}
