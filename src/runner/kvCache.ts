/**
 * The language model's keys and values of all tokens so far: for each block one piece of memory with room for the
 * whole answer, written in place. What is reserved and not yet touched costs nothing on most systems.
 */
import { bytesOf, elementCount } from "../base/dtypes.js";
import type { LanguageModel } from "../models/language.js";
import { zeros } from "../runtime/hostTensor.js";
import type { BoundTensor, Runtime } from "../runtime/runtime.js";
import { type CacheFormat, cacheTypes } from "./cacheFormats.js";
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

type CachedModel = Pick<LanguageModel, "layers" | "heads" | "headDim">;

/** What is kept of one row in each block. @param capacity tokens of the longest row, with what it will generate */
function partsOf({ heads, headDim }: CachedModel, capacity: number, format: CacheFormat) {
  const tokens = { dtype: cacheTypes[format], shape: [heads, capacity, headDim] };
  const scales = { dtype: "float32" as const, shape: [2 * heads, headDim] };
  return { Keys: tokens, Values: tokens, ...(format === "int8" && { Scales: scales }) };
}

/** Bytes of a cache. @param capacity tokens of the longest row, with what it will generate */
export function cacheBytes(
  language: CachedModel,
  rows: number,
  capacity: number,
  format: CacheFormat = "fp32",
): number {
  const parts = Object.values(partsOf(language, capacity, format));
  const ofBlock = parts.reduce((sum, { dtype, shape }) => sum + bytesOf[dtype] * elementCount(shape), 0);
  return language.layers * rows * ofBlock;
}

/** @param capacity tokens of the longest row, with what it will generate */
export function createKvCache(
  runtime: Runtime,
  language: LanguageModel,
  rows: number,
  capacity: number,
  format: CacheFormat = "fp32",
): KvCache {
  const parts = Object.entries(partsOf(language, capacity, format)).map(([kind, { dtype, shape }]) => {
    const blocks = Array.from({ length: language.layers }, () => zeros(dtype, [rows, ...shape]));
    return { kind, shape, blocks };
  });

  const bind = (from: number, count: number): BoundCache => {
    const feeds: Record<string, BoundTensor> = {};
    const outputs: Record<string, BoundTensor> = {};
    for (const { kind, shape, blocks } of parts) {
      const row = elementCount(shape);
      blocks.forEach(({ dtype, data }, i) => {
        const bound = runtime.bind({
          dtype,
          shape: [count, ...shape],
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
