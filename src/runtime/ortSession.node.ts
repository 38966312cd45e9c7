/**
 * A program loaded into ONNX Runtime, and tensors bound for it.
 *
 * Two rules hold the memory together. Native code knows our buffers by address only, so whatever it may look at is
 * referenced by something that lives as long: a session holds its program, a call its feeds. And every native
 * object is released, in `finally` or by `close`.
 */
import { onAbort } from "../base/abort.js";
import { onnxTypes } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import { faultOf, type HostTensor, requireFixedMemory } from "./hostTensor.js";
import { cString, type OrtApi } from "./ortApi.node.js";
import { backendError } from "./ortError.js";
import type { Pointer } from "./ortLibrary.node.js";
import { type Plan, planRun, requireMemory } from "./plan.js";
import {
  type BoundTensor,
  closedError,
  type Feed,
  type Program,
  type RunOptions,
  type Session,
  withoutData,
} from "./runtime.js";

/** A handle on a tensor's memory, to be released. It does not keep the memory alive: hold the tensor. */
export function createValue(api: OrtApi, { dtype, shape, data }: HostTensor): Pointer {
  const dimensions = BigInt64Array.from(shape, BigInt);
  return api.create(
    "CreateTensorWithDataAsOrtValue",
    ...[api.hostMemory, api.address(data), data.byteLength, dimensions, shape.length, onnxTypes[dtype]],
  );
}

export class OrtBoundTensor implements BoundTensor {
  readonly tensor: HostTensor;
  readonly #api: OrtApi;
  readonly #value: Pointer;
  readonly #onRelease: () => void;
  #runs = 0;
  #released = false;

  constructor(api: OrtApi, tensor: HostTensor, onRelease: () => void) {
    requireFixedMemory("the tensor to be bound", tensor.data);
    const fault = faultOf(tensor);
    if (fault !== undefined) throw bug("backend", `the tensor to be bound ${fault}`);
    this.#api = api;
    this.tensor = tensor;
    this.#onRelease = onRelease;
    this.#value = createValue(api, tensor);
  }

  /** The handle, good until `endUse`. */
  use(): Pointer {
    this.#runs++;
    return this.#value;
  }

  endUse(): void {
    this.#runs--;
    this.#releaseIfUnused();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#onRelease();
    this.#releaseIfUnused();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #releaseIfUnused(): void {
    if (this.#released && this.#runs === 0) this.#api.release("Value", this.#value);
  }
}

/** What a session is made of: it owns the native session and the handles of its weights from then on. */
export interface OrtSessionParts {
  readonly api: OrtApi;
  readonly program: Program;
  readonly native: Pointer;
  readonly weights: readonly Pointer[];
  /** The tensors that are bound now. */
  readonly bound: ReadonlySet<Feed>;
  readonly onClose: () => void;
}

export class OrtSession implements Session {
  readonly #parts: Omit<OrtSessionParts, "program">;
  readonly #api: OrtApi;
  #program: Program;
  /** The names of inputs and outputs where native code can read them, and where that is. */
  readonly #names = new Map<string, { readonly string: Uint8Array; readonly address: Pointer }>();
  /** The end of the last run that was asked for. */
  #turn: Promise<void> = Promise.resolve();
  /** Stops the run that is under way. */
  #stop: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ program, ...parts }: OrtSessionParts) {
    this.#parts = parts;
    this.#api = parts.api;
    this.#program = program;
    for (const { name } of [...program.inputs, ...program.outputs]) {
      const string = cString(name);
      this.#names.set(name, { string, address: this.#api.address(string) });
    }
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    options: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    options.signal?.throwIfAborted();
    this.#requireOpen();
    const plan = planRun(this.#program, feeds, options);
    const releases: (() => void)[] = [];
    try {
      // Taken before waiting, so that a bound tensor may be released as soon as the run was asked for.
      const inputs = BigUint64Array.from(plan.inputs, (feed) => this.#handle(feed, releases));
      const outputs = BigUint64Array.from(plan.outputs.values(), (feed) => this.#handle(feed, releases));
      const run = this.#turn.then(() => this.#run(plan, inputs, outputs, options));
      this.#turn = run.catch(() => {});
      await run;
    } finally {
      for (const release of releases) release();
    }
    return plan.results;
  }

  /** The native value of a feed, with what gives it back. */
  #handle(feed: Feed, releases: (() => void)[]): Pointer {
    if (!("tensor" in feed)) {
      const value = createValue(this.#api, feed);
      releases.push(() => this.#api.release("Value", value));
      return value;
    }
    if (!(feed instanceof OrtBoundTensor && this.#parts.bound.has(feed))) {
      throw bug("backend", "a bound tensor was released before its run, or bound by another runtime");
    }
    const value = feed.use();
    releases.push(() => feed.endUse());
    return value;
  }

  async #run(
    plan: Plan,
    inputs: BigUint64Array,
    outputs: BigUint64Array,
    { signal, releaseWorkspace = false }: RunOptions,
  ): Promise<void> {
    signal?.throwIfAborted();
    this.#requireOpen();
    requireMemory(this.#program, plan);
    const api = this.#api;
    const addressOf = (name: string) => this.#names.get(name)!.address;
    const inputNames = BigUint64Array.from(this.#program.inputs, ({ name }) => addressOf(name));
    const outputNames = BigUint64Array.from(plan.outputs.keys(), addressOf);
    const options = api.create("CreateRunOptions");
    this.#stop = () => api.call("RunOptionsSetTerminate", options);
    const stopListening = onAbort(signal, this.#stop);
    try {
      if (releaseWorkspace) {
        api.call("AddRunConfigEntry", options, "memory.enable_memory_arena_shrinkage", "cpu:0");
      }
      const from = [inputNames, inputs, inputs.length] as const;
      const to = [outputNames, outputs.length, outputs] as const;
      await api.callAsync("Run", [this.#parts.native, options, ...from, ...to], [this, plan]);
    } catch (error) {
      signal?.throwIfAborted();
      this.#requireOpen();
      throw backendError(`${this.#program.name} failed`, error);
    } finally {
      stopListening();
      this.#stop = undefined;
      api.release("RunOptions", options);
    }
    // It may have ended before it could be stopped.
    signal?.throwIfAborted();
    this.#requireOpen();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop?.();
    await this.#turn; // the one that was stopped, and those that are rejected now
    const { native, weights, onClose } = this.#parts;
    this.#api.release("Session", native);
    for (const weight of weights) this.#api.release("Value", weight);
    this.#program = withoutData(this.#program);
    onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closedError(this.#program.name);
  }
}
