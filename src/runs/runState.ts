/** All that a run needs to go on exactly as it would have: the trained numbers, and what else changes from step to step. */
import type { JsonValue } from "../base/json.js";
import type { TensorInfo } from "../checkpoints/checkpoint.js";

/** Float32 numbers, row by row. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** By the parameters' names, which are the checkpoint's. */
export type FloatTensors = ReadonlyMap<string, FloatTensor>;

/** What of the state is tensors; all three have the same names and shapes. */
export interface TrainedTensors {
  readonly parameters: FloatTensors;
  /** AdamW's mean of gradients and of their squares. */
  readonly expAvg: FloatTensors;
  readonly expAvgSq: FloatTensors;
}

/** What of it is values. Each must be JSON: a number that is not finite is a bug. */
export interface RunValues {
  /** Optimizer steps done. */
  readonly step: number;
  /** State of the learning rate's schedule. */
  readonly schedule: JsonValue;
  /** State of random numbers: seeds and counters. */
  readonly random: JsonValue;
  /** The exact position in the data: what the pipeline goes on from. */
  readonly data: JsonValue;
}

export interface RunState extends TrainedTensors, RunValues {
  /** Tensors that belong to the model's file and are not trained, such as a frozen embedding. */
  readonly frozen?: FloatTensors | undefined;
}

/** A checkpoint that was found whole. */
export interface SavedCheckpoint extends RunValues {
  /** Absolute. */
  readonly folder: string;
  /** What its tensors are, by the parameters' names. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * Fills the arrays with the numbers that were saved.
   *
   * @throws OpenFlamingoError `checkpoint-mismatch` where names or shapes are others; `checkpoint-damaged`; the
   *   signal's reason
   */
  load(into: TrainedTensors, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}
