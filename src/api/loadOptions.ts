/** What a caller may say of loading a model, for both APIs. */
import {
  anyFunction,
  boolean,
  integer,
  number,
  object,
  oneOf,
  optional,
  type Reader,
} from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { defaultLimits, type ReaderLimits } from "../checkpoints/limits.js";
import type { ImageLimits, Orientation } from "../images/index.js";
import { type CacheFormat, cacheFormats } from "../runner/cacheFormats.js";
import { mostThreads } from "../runtime/threads.js";
import { type WeightFormat, weightFormats } from "../weights/weightFormats.js";
import { signal } from "./readOptions.js";

/** What can compute on Node. */
export type BackendName = "ort.ffi" | "ort.binding";

export interface LoadOptions {
  /** Number of threads of one run, from 1 to 1024. Default: all cores. */
  readonly threads?: number | undefined;
  /**
   * What computes: `ort.ffi` (ONNX Runtime through its C interface) or `ort.binding` (its own binding, slower).
   * Default: the first, or the second where the first does not work, with a notice.
   */
  readonly backend?: BackendName | undefined;
  /**
   * In which format the weights are kept: `fp32` as they are, `int8` and `int4` in 8 or 4 bits, which take a
   * quarter or an eighth of the memory, and change answers a little; `fp16`, half of the disk where the model is
   * prepared, and float32 in memory. Default: `int4` for a released model by its name,
   * the format of a prepared folder, and otherwise `fp32`.
   */
  readonly weights?: WeightFormat | undefined;
  /**
   * In which numbers keys and values of the tokens so far are kept: `fp32` as they are computed; `fp16` and `int8`
   * take a half or a quarter of the memory, for long prompts and many beams, and change answers a little. Default:
   * `fp32`.
   */
  readonly cache?: CacheFormat | undefined;
  /**
   * "on": a model, and a call's keys and values, that will not fit in what memory is free are rejected before anything
   * large is read. "off": they are tried all the same, where memory is about to be freed or swap is good enough.
   * Default: "on".
   */
  readonly memoryCheck?: "on" | "off" | undefined;
  /** The same as `backend`, by its earlier name. */
  readonly engine?: BackendName | undefined;
  /** How much untrusted files may cost. Default: limits that every released model and any photograph keeps. */
  readonly limits?:
    | {
        /** Of reading one image. */
        readonly images?: ImageLimits | undefined;
        /** Of what is taken from a checkpoint before it is known to be sound. */
        readonly checkpoints?: { readonly [Name in keyof ReaderLimits]?: number | undefined } | undefined;
      }
    | undefined;
  /**
   * "exif": images are turned upright as their EXIF data say. "none": they are left as they are stored, as in
   * OpenFlamingo. Default: "none".
   */
  readonly orientation?: Orientation | undefined;
  /**
   * Whether an image's URL may lead to addresses that are not public: this machine, its network, a cloud's metadata
   * server. true is for URLs and servers that you trust, redirects of theirs included. Default: false.
   */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** Stops the loading; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with bytes done and in all, and what is done: `fetching NAME`, then `preparing` and `loading`, which
   * count bytes of float32; of a prepared folder `opening`, and before that `checking` where its weights are compared
   * with their checksums.
   */
  readonly onProgress?: Progress | undefined;
  /**
   * Called once for each thing that a user should know, such as an untrained model, or another backend than the usual
   * one. Default: a warning of the process, of the type `OpenFlamingoNotice`.
   */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Infinity is no limit. */
const limit = optional(number(0, Number.POSITIVE_INFINITY, { above: true }));
const checkpointLimits = Object.fromEntries(Object.keys(defaultLimits).map((name) => [name, limit])) as {
  readonly [Name in keyof ReaderLimits]: Reader<number | undefined>;
};

export const loadReaders = {
  threads: optional(integer(1, mostThreads)),
  backend: optional(oneOf<BackendName>("ort.ffi", "ort.binding")),
  weights: optional(oneOf<WeightFormat>(...weightFormats)),
  cache: optional(oneOf<CacheFormat>(...cacheFormats)),
  memoryCheck: optional(oneOf<"on" | "off">("on", "off")),
  engine: optional(oneOf<BackendName>("ort.ffi", "ort.binding")),
  limits: optional(
    object({
      images: optional(object({ maxBytes: limit, maxPixels: limit, maxSeconds: limit })),
      checkpoints: optional(object(checkpointLimits)),
    }),
  ),
  orientation: optional(oneOf<Orientation>("exif", "none")),
  allowPrivateAddresses: optional(boolean),
  signal,
  onProgress: optional(anyFunction<Progress>()),
  onNotice: optional(anyFunction<(text: string) => void>()),
};
