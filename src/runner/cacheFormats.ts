/** In which numbers keys and values are kept. */
import type { DType } from "../base/dtypes.js";

/** `fp32`: as they are computed. `fp16`, `int8`: in half or a quarter of the memory, rounded. */
export type CacheFormat = "fp32" | "fp16" | "int8";

export const cacheFormats: readonly CacheFormat[] = ["fp32", "fp16", "int8"];

/** The type of a cache's keys and values. */
export const cacheTypes: Readonly<Record<CacheFormat, DType>> = {
  fp32: "float32",
  fp16: "float16",
  int8: "int8",
};
