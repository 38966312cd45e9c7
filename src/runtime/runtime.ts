/**
 * What every backend offers: load a program, bind tensors that are passed again and again, run, cancel, close.
 *
 * A program comes as plain data, so that a backend knows no graph and a graph knows no backend. The conformance table
 * in `test/runtime/conformance.ts` says in runs what this file says in words; every implementation passes it.
 */
import type { DType } from "../base/dtypes.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { HostTensor } from "./hostTensor.js";

/** A size that follows from named sizes, such as `past + text`. */
export interface SizeExpression {
  evaluate(sizes: ReadonlyMap<string, number>): number;
  /** As it should stand in an error. */
  toString(): string;
}

/** A fixed size, a named one, or one that follows from named ones. */
export type Dimension = number | string | SizeExpression;

/** An input or output of a program. Every named size is an axis of some input. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dimension[];
}

/**
 * The `location` by which a model's bytes must name the external data of a weight: one of its own for each, so that an
 * backend can be given them one by one, and one that can be the name of a file.
 */
export const weightLocation = (name: string): string => `weight.${encodeURIComponent(name)}`;

/** A weight that lies in a file, in row-major order and little-endian, where the backend maps it. */
export interface FileTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Its absolute path, and the file's name in it. */
  readonly folder: string;
  readonly file: string;
  /** Byte of the file at which it begins: a multiple of 64 KiB, in whose steps Windows maps. */
  readonly offset: number;
}

export type Weight = HostTensor | FileTensor;

export const isInFile = (weight: Weight): weight is FileTensor => "file" in weight;

/** A program to be loaded. Until the session is closed its parts must not change, nor their buffers be transferred. */
export interface Program {
  /** What errors call it. */
  readonly name: string;
  /** The serialised ONNX model. */
  readonly bytes: Uint8Array;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /**
   * The initializers that the model declares as external data, see `weightLocation`. A backend that can (`ort.ffi`)
   * uses them where they lie, without a copy, as long as no optimisation wants to compute with them: keep what is to
   * be folded (scalars, shapes) in `bytes`. Those in files must lie in one folder, and be all of the program's:
   * `bytes` name file and offset of each.
   */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Output → input in whose memory it may be written (the present of a cache in its past). */
  readonly aliases?: ReadonlyMap<string, string>;
}

/**
 * A tensor that a backend holds ready: for caches, media, parameters and whatever else is passed again and again.
 * It may go to every session of the runtime that bound it, as a feed and as an output.
 */
export interface BoundTensor {
  /** The tensor that was bound: the same memory, so writing to its data between runs is seen by the next one. */
  readonly tensor: HostTensor;
  /** Gives the handle back, after the runs that use it now; the memory stays the caller's. */
  release(): void;
  [Symbol.dispose](): void;
}

/** What stands in a place of a run. */
export type Feed = HostTensor | BoundTensor;

/** The tensor behind a feed. */
export const tensorOf = (feed: Feed): HostTensor => ("tensor" in feed ? feed.tensor : feed);

export interface LoadOptions {
  /** Threads that work on one run, 1 to `mostThreads`; as many as this process may use cores if left out. */
  readonly threads?: number;
  /**
   * Whether to keep a copy of the weights in the order in which the kernels read them: products are up to 1.8 times
   * as fast (16 rows; 1.1 times with one row or many), and twice the memory is used. If left out, only for programs
   * with quantised weights, whose kernels are a hundred times slower without.
   */
  readonly prepack?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What `LoadOptions.prepack` is if it is left out. */
export const hasQuantisedWeights = ({ weights }: Program): boolean =>
  [...weights.values()].some(({ dtype }) => dtype === "int8" || dtype === "uint8");

export interface RunOptions {
  /** Where to write outputs, by name. They may lie in the memory of their input in `Program.aliases`, of no other. */
  readonly outputs?: Readonly<Record<string, Feed>>;
  /** Which outputs to return, besides those in `outputs`; all if left out. The others get new memory. */
  readonly want?: readonly string[];
  /**
   * Whether to give back afterwards the memory in which the run computed, where the backend can (`ort.ffi`). A session
   * keeps it otherwise, for the next run: after one of many tokens, some 100 MB of a large model. What the session's
   * first run took stays in any case.
   */
  readonly releaseWorkspace?: boolean;
  /**
   * Stops the run, one that still waits at its turn: `ort.ffi` within a node or so; `ort.binding` rejects at once and
   * lets the run go on to its end before the next one. Outputs in place are undefined then.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A loaded program. Closing gives all of its memory back, and lets go of the program's. */
export interface Session {
  /**
   * Runs the program off the event loop. Runs of one session follow one another in the order in which they were
   * asked for, so that runs on one cache cannot overlap; different sessions run side by side, or take turns where
   * the backend has one thread to call it from (`ort.binding`). Feeds are read when the run begins: leave them alone
   * until the promise is settled.
   *
   * @returns the outputs by name; those given in `options.outputs` are the tensors given
   * @throws OpenFlamingoError "backend" for feeds that do not fit (all faults at once) and a failure inside the
   *   backend; "closed" for a session that was closed, also during the run; "usage" for tensors in memory that may be
   *   gone during the run (resizable, detached); "memory" when there is no room; `signal.reason` when the signal
   *   stopped it
   */
  run(feeds: Readonly<Record<string, Feed>>, options?: RunOptions): Promise<Record<string, HostTensor>>;
  /**
   * Stops the run that is under way where the backend can, rejects it and those that wait, and releases everything once
   * native code has left it. Harmless when repeated.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A backend at work. */
export interface Runtime {
  /** Which backend, e.g. `ort.ffi`. */
  readonly name: string;
  /** The backend's own version, e.g. `1.30.0`. */
  readonly version: string;
  /** Whether sessions compute in the weights that they are given, or each in a copy of its own. */
  readonly sharesWeights: boolean;
  /**
   * @throws OpenFlamingoError "backend" or "memory" when the backend rejects it; "usage" for an impossible number of
   *   threads and for weights in memory that may be gone; "closed"; `signal.reason` when stopped
   */
  load(program: Program, options?: LoadOptions): Promise<Session>;
  /**
   * Binds a tensor, whose buffer must not be transferred to another thread until it is released.
   *
   * @throws OpenFlamingoError "backend" for a tensor whose data does not fit its dtype and shape; "usage" for one in
   *   memory that may be gone; "closed"
   */
  bind(tensor: HostTensor): BoundTensor;
  /**
   * Closes every session, stops what is being loaded and waits for its end, and releases what is bound. Harmless when
   * repeated.
   */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The error of a call on what was closed, before the call or during it. */
export const closedError = (what: string): OpenFlamingoError =>
  new OpenFlamingoError("closed", `${what} was closed`, {
    hint: "Await the calls under way before close(), and load the model again for others.",
  });

/** The folder of a program's weights, where they are in files. */
export function folderOfWeights({ weights }: Program): string | undefined {
  for (const weight of weights.values()) if (isInFile(weight)) return weight.folder;
  return undefined;
}

/** What a closed session keeps of its program: nothing that has weight. */
export const withoutData = (program: Program): Program => ({
  ...program,
  bytes: new Uint8Array(),
  weights: new Map(),
});
