/**
 * The language model's keys and values of all tokens so far: for each block one piece of memory with room for the
 * whole answer, written in place. What is reserved and not yet touched costs nothing on most systems.
 */
import { bytesOf } from "../base/dtypes.js";
import type { LanguageModel } from "../models/language.js";
import { type HostTensor, zeros } from "../runtime/hostTensor.js";
import type { BoundTensor, Runtime } from "../runtime/runtime.js";
import { numbered } from "./graphs.js";

/** Caches as a run takes them: read as past, written as present. */
export interface BoundCache {
  readonly feeds: Readonly<Record<string, BoundTensor>>;
  readonly outputs: Readonly<Record<string, BoundTensor>>;
  release(): void;
}

export interface KvCache {
  /** All rows, as the steps of a batch take them. */
  readonly all: BoundCache;
  /** One row alone, in the same memory. To be released by the caller. */
  row(row: number): BoundCache;
}

/** Bytes of a cache. @param capacity tokens of the longest row, with what it will generate */
export const cacheBytes = (
  { layers, heads, headDim }: Pick<LanguageModel, "layers" | "heads" | "headDim">,
  rows: number,
  capacity: number,
): number => 2 * layers * bytesOf.float32 * rows * heads * capacity * headDim;

/** @param capacity tokens of the longest row, with what it will generate */
export function createKvCache(
  runtime: Runtime,
  language: LanguageModel,
  rows: number,
  capacity: number,
): KvCache {
  const { layers, heads, headDim } = language;
  const row = heads * capacity * headDim;
  const memory = (): HostTensor<"float32">[] =>
    Array.from({ length: layers }, () => zeros("float32", [rows, heads, capacity, headDim]));
  const caches = { Keys: memory(), Values: memory() };

  const bind = (from: number, count: number): BoundCache => {
    const feeds: Record<string, BoundTensor> = {};
    const outputs: Record<string, BoundTensor> = {};
    for (const [kind, tensors] of Object.entries(caches)) {
      tensors.forEach(({ data }, i) => {
        const bound = runtime.bind({
          dtype: "float32",
          shape: [count, heads, capacity, headDim],
          data: data.subarray(from * row, (from + count) * row),
        });
        feeds[numbered(`past${kind}`, i)] = bound;
        outputs[numbered(`present${kind}`, i)] = bound;
      });
    }
    return {
      feeds,
      outputs,
      release() {
        for (const bound of Object.values(feeds)) bound.release();
      },
    };
  };
  return { all: bind(0, rows), row: (at) => bind(at, 1) };
}
