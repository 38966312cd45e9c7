/**
 * What a reader takes from a file before it has seen that the file is sound. Each limit is at least ten times
 * what the released models and their training checkpoints need, and small enough that reaching it does no
 * harm.
 */
export interface ReaderLimits {
  /** Bytes of a safetensors header, or of a JSON index. */
  readonly headerBytes: number;
  /** Bytes of a zip archive's directory. */
  readonly directoryBytes: number;
  /** Bytes of the pickle inside a torch archive. */
  readonly pickleBytes: number;
  /** Opcodes of a pickle: each makes one value at most, so this bounds time and memory. */
  readonly pickleSteps: number;
  /** How deep lists, tuples and dictionaries of a pickle stand in each other. */
  readonly pickleDepth: number;
  /** Elements of a tensor that has more of them than its storage, repeating some. */
  readonly repeatedElements: number;
}

export const defaultLimits: ReaderLimits = {
  headerBytes: 16 * 2 ** 20,
  directoryBytes: 4 * 2 ** 20,
  pickleBytes: 16 * 2 ** 20,
  pickleSteps: 1_000_000,
  pickleDepth: 100,
  repeatedElements: 2 ** 24,
};

/** What every opening function takes. */
export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: ReaderLimits | undefined;
}
