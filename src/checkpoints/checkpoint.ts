/**
 * A checkpoint as the rest of the program sees it: names with types and shapes, and a way to read one tensor.
 */
import type { DType } from "../base/dtypes.js";
import { bug, type OpenFlamingoError } from "../base/errors.js";
import { withPlainNames } from "./plainNames.js";
import type { ByteSource } from "./source.js";
import { readView, type TensorView } from "./view.js";

export interface TensorInfo {
  /** As it is in the file; it is always read as float32. */
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * An open checkpoint of one file or several.
 *
 * @example
 * await using checkpoint = await openCheckpoint("model.safetensors");
 * const { shape } = checkpoint.tensors.get("wte.weight");
 */
export interface Checkpoint extends AsyncDisposable {
  /** The path of the file or folder. */
  readonly name: string;
  /** By their plain names: see `plainNames.ts`. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * Reads one tensor, converted to float32, row by row. Needs a few MiB beside `into`.
   *
   * @param into as many values as the tensor has elements
   * @returns whether all numbers are finite; where it is false, look for one that is not: the file may hold it between
   *   those of the tensor
   * @throws OpenFlamingoError "checkpoint-damaged" where the file has become shorter
   */
  read(name: string, into: Float32Array, options?: { signal?: AbortSignal | undefined }): Promise<boolean>;
  close(): Promise<void>;
}

/** The checkpoint of one open file whose tensors were found at `found`; it closes the file. */
export function checkpointOf(source: ByteSource, found: ReadonlyMap<string, TensorView>): Checkpoint {
  const views = withPlainNames(found, source.name);
  return {
    name: source.name,
    tensors: views,
    async read(name, into, { signal } = {}) {
      const view = views.get(name);
      if (view === undefined) throw noSuchTensor(source.name, name);
      return readView(source, view, into, signal);
    },
    close: () => source.close(),
    [Symbol.asyncDispose]: () => source.close(),
  };
}

/** The error of a caller that reads a name which is not among `tensors`. */
export const noSuchTensor = (checkpoint: string, tensor: string): OpenFlamingoError =>
  bug("internal", `${checkpoint}: a tensor ${tensor} was read, which the file does not have`);
