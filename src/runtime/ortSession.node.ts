/**
 * A program loaded into ONNX Runtime, and tensors bound for it.
 *
 * Two rules hold the memory together. Native code knows our buffers by address only, so whatever it may look at is
 * referenced by something that lives as long: a session holds its program, a call its feeds. And every native
 * object is released, in `finally` or by `close`.
 */
import { onnxTypes } from "../base/dtypes.js";
import { bug } from "../base/errors.js";
import { faultOf, type HostTensor } from "./hostTensor.js";
import { backendError, cString, type OrtApi, type Pointer } from "./ortApi.node.js";
import { type Plan, planRun } from "./plan.js";
import {
  type BoundTensor,
  type Feed,
  type Program,
  type RunOptions,
  type Session,
  tensorOf,
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
  readonly api: OrtApi;
  readonly #value: Pointer;
  #runs = 0;
  #released = false;

  constructor(api: OrtApi, tensor: HostTensor) {
    const fault = faultOf(tensor);
    if (fault !== undefined) throw bug("backend", `the tensor to be bound ${fault}`);
    this.api = api;
    this.tensor = tensor;
    this.#value = createValue(api, tensor);
  }

  /** The handle, good until `endUse`. */
  use(): Pointer {
    if (this.#released) throw bug("backend", "a bound tensor was released before its run");
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
    this.#releaseIfUnused();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #releaseIfUnused(): void {
    if (this.#released && this.#runs === 0) this.api.release("Value", this.#value);
  }
}

export class OrtSession implements Session {
  readonly program: Program;
  readonly #api: OrtApi;
  readonly #native: Pointer;
  readonly #weights: readonly Pointer[];
  readonly #onClose: () => void;
  /** The names of inputs and outputs where native code can read them, and where that is. */
  readonly #names = new Map<string, { readonly string: Uint8Array; readonly address: Pointer }>();
  /** The end of the last run that was asked for. */
  #turn: Promise<void> = Promise.resolve();
  /** Stops the run that is under way. */
  #stop: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Owns the native session and the handles of its weights from here on. */
  constructor(
    api: OrtApi,
    program: Program,
    native: Pointer,
    weights: readonly Pointer[],
    onClose: () => void,
  ) {
    this.program = program;
    this.#api = api;
    this.#native = native;
    this.#weights = weights;
    this.#onClose = onClose;
    for (const { name } of [...program.inputs, ...program.outputs]) {
      const string = cString(name);
      this.#names.set(name, { string, address: api.address(string) });
    }
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    options: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    options.signal?.throwIfAborted();
    this.#rejectIfClosed();
    const plan = planRun(this.program, feeds, options);
    const releases: (() => void)[] = [];
    try {
      // Taken before waiting, so that a bound tensor may be released as soon as the run was asked for.
      const inputs = BigUint64Array.from(plan.inputs, (feed) => this.#handle(feed, releases));
      const outputs = BigUint64Array.from(plan.outputs.values(), (feed) => this.#handle(feed, releases));
      const run = this.#turn.then(() => this.#run(plan, inputs, outputs, options.signal));
      this.#turn = run.catch(() => {});
      await run;
    } finally {
      for (const release of releases) release();
    }
    const results: Record<string, HostTensor> = {};
    for (const [name, output] of plan.outputs) results[name] = tensorOf(output);
    return results;
  }

  /** The native value of a feed, with what gives it back. */
  #handle(feed: Feed, releases: (() => void)[]): Pointer {
    if (feed instanceof OrtBoundTensor && feed.api === this.#api) {
      const value = feed.use();
      releases.push(() => feed.endUse());
      return value;
    }
    if ("tensor" in feed) throw bug("backend", "a tensor was bound by another runtime");
    const value = createValue(this.#api, feed);
    releases.push(() => this.#api.release("Value", value));
    return value;
  }

  async #run(
    plan: Plan,
    inputs: BigUint64Array,
    outputs: BigUint64Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    this.#rejectIfClosed();
    const api = this.#api;
    const addressOf = (name: string) => this.#names.get(name)!.address;
    const inputNames = BigUint64Array.from(this.program.inputs, ({ name }) => addressOf(name));
    const outputNames = BigUint64Array.from(plan.outputs.keys(), addressOf);
    const options = api.create("CreateRunOptions");
    const stop = () => api.call("RunOptionsSetTerminate", options);
    this.#stop = stop;
    signal?.addEventListener("abort", stop);
    try {
      const from = [inputNames, inputs, inputs.length] as const;
      const to = [outputNames, outputs.length, outputs] as const;
      await api.callAsync("Run", [this.#native, options, ...from, ...to], [this, plan]);
    } catch (error) {
      signal?.throwIfAborted();
      this.#rejectIfClosed();
      throw backendError(`${this.program.name} failed`, error);
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#stop = undefined;
      api.release("RunOptions", options);
    }
    signal?.throwIfAborted();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop?.();
    await this.#turn; // the one that was stopped, and those that now reject
    this.#api.release("Session", this.#native);
    for (const weight of this.#weights) this.#api.release("Value", weight);
    this.#onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #rejectIfClosed(): void {
    if (this.#closing !== undefined) throw bug("backend", `${this.program.name} was closed`);
  }
}
