/**
 * `ort.binding`: ONNX Runtime through the binding that its package brings, in a worker thread. It needs no other native
 * package and is slower than `ort.ffi`: tensors travel to the thread and back as copies, sessions take turns, and a run
 * cannot be stopped in the middle (its promise is settled at once all the same; what comes of it is thrown away).
 */
import { availableParallelism } from "node:os";
import { bug, OpenFlamingoError } from "../base/errors.js";
import { faultOf, type HostTensor } from "./hostTensor.js";
import { backendError, silenceTelemetry } from "./ortApi.node.js";
import type { BindingHandlers, Computed } from "./ortBinding.worker.node.js";
import { checkWeights, type Plan, planRun } from "./plan.js";
import {
  type BoundTensor,
  type Feed,
  hasQuantisedWeights,
  type LoadOptions,
  type Program,
  type RunOptions,
  type Runtime,
  type Session,
  tensorOf,
  weightLocation,
} from "./runtime.js";
import { selfTest } from "./selfTest.js";
import { WorkerCalls } from "./workerCalls.node.js";

/** Beside this file, and TypeScript or JavaScript like it. */
const workerFile = new URL(import.meta.url.replace(/ortBinding(?=\.node\.\w+$)/, "ortBinding.worker"));

type Calls = WorkerCalls<BindingHandlers>;

/**
 * Starts the worker and lets it compute one known result.
 *
 * @throws OpenFlamingoError "backend" when the package is missing, does not load or computes wrongly
 */
export async function openOrtBinding(): Promise<Runtime> {
  silenceTelemetry();
  const calls: Calls = new WorkerCalls(workerFile);
  try {
    const runtime = new BindingRuntime(calls, await versionOf(calls));
    await selfTest(runtime);
    return runtime;
  } catch (error) {
    await calls.close();
    throw error;
  }
}

async function versionOf(calls: Calls): Promise<string> {
  try {
    return await calls.call("version", undefined);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new OpenFlamingoError("backend", `the package onnxruntime-node cannot be loaded: ${words}`, {
      hint: "npm install --onnxruntime-node-install=skip onnxruntime-node",
      cause,
    });
  }
}

class BindingRuntime implements Runtime {
  readonly name = "ort.binding";
  readonly version: string;
  readonly #calls: Calls;
  readonly #sessions = new Set<BindingSession>();
  /** The tensors that are bound now. Binding only marks them: their data travels with every run. */
  readonly #bound = new Set<Feed>();
  #loads = 0;
  #closing: Promise<void> | undefined;

  constructor(calls: Calls, version: string) {
    this.#calls = calls;
    this.version = version;
  }

  async load(program: Program, options: LoadOptions = {}): Promise<Session> {
    const { threads = availableParallelism(), prepack = hasQuantisedWeights(program), signal } = options;
    signal?.throwIfAborted();
    this.#rejectIfClosed();
    checkWeights(program);
    const number = this.#loads++;
    const loading = this.#load(number, program, threads, prepack);
    try {
      await orStopped(loading, signal);
      this.#rejectIfClosed();
    } catch (error) {
      loading.then(() => this.#calls.call("release", number)).catch(() => {}); // nobody waits for it any more
      signal?.throwIfAborted();
      this.#rejectIfClosed();
      throw backendError(`${program.name} cannot be loaded`, error);
    }
    const session = new BindingSession(this.#calls, program, number, this.#bound, () =>
      this.#sessions.delete(session),
    );
    this.#sessions.add(session);
    return session;
  }

  /** The worker gets copies of the weights and the backend makes its own from them; the worker's are gone then. */
  async #load(session: number, program: Program, threads: number, prepack: boolean): Promise<void> {
    const model = program.bytes.slice();
    const weights = Array.from(program.weights, ([name, tensor]) => ({
      path: weightLocation(name),
      data: new Uint8Array(copyOf(tensor).data.buffer as ArrayBuffer),
    }));
    const buffers = [model, ...weights.map(({ data }) => data)].map(({ buffer }) => buffer);
    await this.#calls.call("load", { session, model, weights, threads, prepack }, buffers);
  }

  bind(tensor: HostTensor): BoundTensor {
    this.#rejectIfClosed();
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
    await Promise.all([...this.#sessions].map((session) => session.close()));
    await this.#calls.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #rejectIfClosed(): void {
    if (this.#closing !== undefined) {
      throw bug("backend", `the runtime ${this.name} was closed`);
    }
  }
}

class BindingSession implements Session {
  readonly program: Program;
  readonly #calls: Calls;
  readonly #number: number;
  readonly #bound: ReadonlySet<Feed>;
  readonly #onClose: () => void;
  /** The end of the last run that was asked for. */
  #turn: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** @param number what the worker knows the session by */
  constructor(calls: Calls, program: Program, number: number, bound: ReadonlySet<Feed>, onClose: () => void) {
    this.program = program;
    this.#calls = calls;
    this.#number = number;
    this.#bound = bound;
    this.#onClose = onClose;
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    options: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    options.signal?.throwIfAborted();
    this.#rejectIfClosed();
    const plan = planRun(this.program, feeds, options);
    for (const feed of [...plan.inputs, ...plan.outputs.values()]) this.#rejectIfNotBound(feed);
    const run = this.#turn.then(() => this.#run(plan, options.signal));
    this.#turn = run.catch(() => {});
    await orStopped(run, options.signal);
    const results: Record<string, HostTensor> = {};
    for (const [name, output] of plan.outputs) results[name] = tensorOf(output);
    return results;
  }

  #rejectIfNotBound(feed: Feed): void {
    if (!("tensor" in feed) || this.#bound.has(feed)) return;
    throw bug("backend", "a bound tensor was released before its run, or bound by another runtime");
  }

  async #run(plan: Plan, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#rejectIfClosed();
    try {
      const inputs = new Map<string, HostTensor>();
      for (const [i, { name }] of this.program.inputs.entries()) {
        inputs.set(name, copyOf(tensorOf(plan.inputs[i]!)));
      }
      const outputs = new Map<string, string | undefined>();
      for (const [name, output] of plan.outputs) outputs.set(name, this.#inputUnder(plan, name, output));
      const buffers = Array.from(inputs.values(), ({ data }) => data.buffer as ArrayBuffer);
      const computed = await this.#calls.call("run", { session: this.#number, inputs, outputs }, buffers);
      signal?.throwIfAborted();
      this.#rejectIfClosed();
      write(plan, computed);
    } catch (error) {
      signal?.throwIfAborted();
      this.#rejectIfClosed();
      throw backendError(`${this.program.name} failed`, error);
    }
  }

  /** The input in whose memory an output lies: it can only be its alias, and only as a whole. */
  #inputUnder({ inputs }: Plan, name: string, output: Feed): string | undefined {
    const alias = this.program.aliases?.get(name);
    const at = this.program.inputs.findIndex((port) => port.name === alias);
    if (at < 0) return undefined;
    const [input, { data }] = [tensorOf(inputs[at]!), tensorOf(output)];
    const same = input.data.buffer === data.buffer && input.data.byteOffset === data.byteOffset;
    return same ? alias : undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Answered after the run that is under way; a worker that has ended holds nothing.
    await this.#calls.call("release", this.#number).catch(() => {});
    this.#onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #rejectIfClosed(): void {
    if (this.#closing !== undefined) throw bug("backend", `${this.program.name} was closed`);
  }
}

/** Brings what the backend computed to where the caller wants it. */
function write({ outputs }: Plan, computed: readonly Computed[]): void {
  for (const [i, [name, output]] of [...outputs].entries()) {
    const { shape, bytes } = computed[i]!;
    const { shape: promised, data } = tensorOf(output);
    if (shape.join() !== promised.join()) {
      throw new Error(
        `the shape of output "${name}" should be {${promised.join()}}, it is {${shape.join()}}`,
      );
    }
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(bytes);
  }
}

/** The same tensor in a buffer of its own, which is not shared: fit to be transferred. */
const copyOf = ({ dtype, shape, data }: HostTensor): HostTensor => ({ dtype, shape, data: data.slice() });

/** The promise, but rejected with the signal's reason as soon as it is given. */
async function orStopped<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  const stop = new AbortController();
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { signal: stop.signal });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    stop.abort(); // takes the listener away
  }
}
