/**
 * `ort.ffi`: ONNX Runtime through its C API. Outputs are written in place, runs leave the event loop free and can be
 * stopped, weights and caches are used where they lie.
 */
import type { HostTensor } from "./hostTensor.js";
import { type OrtApi, openOrtApi } from "./ortApi.node.js";
import { backendError } from "./ortError.js";
import { findOrtLibrary, type Pointer } from "./ortLibrary.node.js";
import { createSession } from "./ortLoad.node.js";
import { createValue, OrtBoundTensor, OrtSession } from "./ortSession.node.js";
import { checkProgram } from "./plan.js";
import {
  type BoundTensor,
  closedError,
  isInFile,
  type LoadOptions,
  type Program,
  type Runtime,
  type Session,
} from "./runtime.js";
import { selfTest } from "./selfTest.js";
import { requireThreads } from "./threads.js";

/**
 * Opens ONNX Runtime and lets it compute one known result.
 *
 * @param options.library the path of the library, in place of the one in the onnxruntime-node package
 * @throws OpenFlamingoError "backend" when the library is missing, does not load, is too old or computes wrongly
 */
export async function openOrtFfi({ library = findOrtLibrary() } = {}): Promise<Runtime> {
  const runtime = new OrtRuntime(await openOrtApi(library));
  await selfTest(runtime);
  return runtime;
}

class OrtRuntime implements Runtime {
  readonly name = "ort.ffi";
  readonly sharesWeights = true;
  readonly version: string;
  readonly #api: OrtApi;
  readonly #sessions = new Set<OrtSession>();
  readonly #bound = new Set<OrtBoundTensor>();
  /** What is being loaded. */
  readonly #loads = new Set<Promise<Session>>();
  /** Stops what is being loaded when the runtime is closed. */
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(api: OrtApi) {
    this.#api = api;
    this.version = api.version;
  }

  async load(program: Program, options: LoadOptions = {}): Promise<Session> {
    options.signal?.throwIfAborted();
    this.#requireOpen();
    requireThreads(options.threads);
    checkProgram(program);
    const loading = this.#load(program, options);
    this.#loads.add(loading);
    try {
      return await loading;
    } finally {
      this.#loads.delete(loading);
    }
  }

  async #load(program: Program, options: LoadOptions): Promise<Session> {
    const weights = new Map<string, Pointer>();
    let native: Pointer;
    try {
      for (const [name, weight] of program.weights) {
        if (!isInFile(weight)) weights.set(name, createValue(this.#api, weight));
      }
      const closing = this.#closing.signal;
      native = await createSession(this.#api, { ...options, program, weights, closing });
    } catch (error) {
      for (const weight of weights.values()) this.#api.release("Value", weight);
      options.signal?.throwIfAborted();
      this.#requireOpen();
      throw backendError(`${program.name} cannot be loaded`, error);
    }
    const session = new OrtSession({
      api: this.#api,
      program,
      native,
      weights: [...weights.values()],
      bound: this.#bound,
      onClose: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    if (options.signal?.aborted || this.#closed) await session.close();
    options.signal?.throwIfAborted();
    this.#requireOpen();
    return session;
  }

  bind(tensor: HostTensor): BoundTensor {
    this.#requireOpen();
    const bound: OrtBoundTensor = new OrtBoundTensor(this.#api, tensor, () => this.#bound.delete(bound));
    this.#bound.add(bound);
    return bound;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#loads);
    await Promise.all(Array.from(this.#sessions, (session) => session.close()));
    for (const bound of this.#bound) bound.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw closedError(`the runtime ${this.name}`);
  }
}
