/** A program loaded into the worker of `ort.binding`: feeds travel to it as copies, and what it computes comes back. */
import { onAbort } from "../base/abort.js";
import { bug } from "../base/errors.js";
import { type HostTensor, requireFixedMemory } from "./hostTensor.js";
import type { Computed } from "./ortBinding.worker.node.js";
import { backendError } from "./ortError.js";
import { type Plan, planRun, requireMemory } from "./plan.js";
import {
  closedError,
  type Feed,
  type Program,
  type RunOptions,
  type Session,
  tensorOf,
  withoutData,
} from "./runtime.js";
import type { BindingCalls } from "./startBindingWorker.node.js";

export interface BindingSessionParts {
  readonly calls: BindingCalls;
  readonly program: Program;
  /** What the worker knows the session by. */
  readonly number: number;
  /** The tensors that are bound now. */
  readonly bound: ReadonlySet<Feed>;
  readonly onClose: () => void;
}

export class BindingSession implements Session {
  readonly #parts: Omit<BindingSessionParts, "program">;
  #program: Program;
  /** The end of the last run that was asked for. */
  #turn: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor({ program, ...parts }: BindingSessionParts) {
    this.#parts = parts;
    this.#program = program;
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    options: RunOptions = {},
  ): Promise<Record<string, HostTensor>> {
    options.signal?.throwIfAborted();
    this.#requireOpen();
    const plan = planRun(this.#program, feeds, options);
    for (const feed of [...plan.inputs, ...plan.outputs.values()]) this.#requireBound(feed);
    const run = this.#turn.then(() => this.#run(plan, options.signal));
    this.#turn = run.catch(() => {});
    await orStopped(run, options.signal);
    return plan.results;
  }

  #requireBound(feed: Feed): void {
    if (!("tensor" in feed) || this.#parts.bound.has(feed)) return;
    throw bug("backend", "a bound tensor was released before its run, or bound by another runtime");
  }

  async #run(plan: Plan, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.#requireOpen();
    requireMemory(this.#program, plan);
    const { calls, number: session } = this.#parts;
    try {
      const inputs = new Map<string, HostTensor>();
      for (const [i, { name }] of this.#program.inputs.entries()) {
        inputs.set(name, copyOf(tensorOf(plan.inputs[i]!)));
      }
      const outputs = new Map<string, string | undefined>();
      for (const [name, output] of plan.outputs) outputs.set(name, this.#inputUnder(plan, name, output));
      const buffers = Array.from(inputs.values(), ({ data }) => data.buffer as ArrayBuffer);
      const computed = await calls.call("run", { session, inputs, outputs }, buffers);
      signal?.throwIfAborted();
      this.#requireOpen();
      write(this.#program, plan, computed);
    } catch (error) {
      signal?.throwIfAborted();
      this.#requireOpen();
      throw backendError(`${this.#program.name} failed`, error);
    }
  }

  /** The input in whose memory an output lies: it can only be its alias, and only as a whole. */
  #inputUnder({ inputs }: Plan, name: string, output: Feed): string | undefined {
    const alias = this.#program.aliases?.get(name);
    const at = this.#program.inputs.findIndex((port) => port.name === alias);
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
    await this.#parts.calls.call("release", this.#parts.number).catch(() => {});
    await this.#turn; // those that wait are rejected now
    this.#program = withoutData(this.#program);
    this.#parts.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closedError(this.#program.name);
  }
}

/** Brings what the backend computed to where the caller wants it. */
function write(program: Program, plan: Plan, computed: readonly Computed[]): void {
  const { outputs } = plan;
  for (const [i, [name, output]] of [...outputs].entries()) {
    const { shape, bytes } = computed[i]!;
    const { shape: promised, data } = tensorOf(output);
    if (shape.join() !== promised.join()) {
      throw new Error(
        `the shape of output "${name}" should be {${promised.join()}}, it is {${shape.join()}}`,
      );
    }
    requireFixedMemory(`${program.name}: output "${name}"`, data); // it may have been transferred since
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength).set(bytes);
  }
}

/** The same tensor in a buffer of its own, which is not shared: fit to be transferred. */
export const copyOf = ({ dtype, shape, data }: HostTensor): HostTensor => ({
  dtype,
  shape,
  data: data.slice(),
});

/** The promise, but rejected with the signal's reason as soon as it is aborted. */
export async function orStopped<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const stopListening = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(stopListening);
  });
}
