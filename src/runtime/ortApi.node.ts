/**
 * ONNX Runtime's C API, called in the library that lies inside the onnxruntime-node package.
 *
 * Facts: `onnxruntime_c_api.h`. The library exports `OrtGetApiBase`; its `GetApi(version)` returns a table of
 * function pointers to which new versions only ever append, so a place in the table is a function for good.
 */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";

/** An address in native memory; 0 is no object. */
export type Pointer = bigint;

type Argument = Pointer | number | string | boolean | ArrayBufferView | null;

interface Native {
  (...args: Argument[]): unknown;
  async(...args: [...Argument[], (error: Error | null, result: Pointer | null) => void]): void;
}

/** The first version whose table has every function below; asking an older library for it prints a complaint. */
const apiVersion = 22;

const p = "void *";

/** Functions that return a status: place in the table, types of the arguments. */
const calls = {
  CreateEnv: [3, "int", "str", p],
  CreateSessionFromArray: [8, p, p, "size_t", p, p],
  Run: [9, p, p, p, p, "size_t", p, "size_t", p],
  CreateSessionOptions: [10, p],
  SetSessionLogSeverityLevel: [22, p, "int"],
  SetSessionGraphOptimizationLevel: [23, p, "int"],
  SetIntraOpNumThreads: [24, p, "int"],
  CreateRunOptions: [39, p],
  RunOptionsSetTerminate: [46, p],
  CreateTensorWithDataAsOrtValue: [49, p, p, "size_t", p, "size_t", "int", p],
  CreateCpuMemoryInfo: [69, "int", "int", p],
  AddSessionConfigEntry: [130, p, "str", "str"],
  AddInitializer: [150, p, "str", p],
  AddExternalInitializers: [210, p, p, p, "size_t"],
  SessionOptionsSetLoadCancellationFlag: [293, p, "bool"],
} as const;

/** Functions that return nothing and take the one object that they release. */
const releases = { Status: 93, Session: 95, Value: 96, RunOptions: 97, SessionOptions: 100 };

const getErrorMessage = 2;

type Call = keyof typeof calls;

/** The log level at which nothing is printed that does not end the process: errors come back as statuses. */
export const onlyFatal = 4;

/** The C API with statuses turned into errors (`Error`s with the library's own words; see `backendError`). */
export interface OrtApi {
  /** Of the library, e.g. `1.30.0`. */
  readonly version: string;
  /** ONNX Runtime's environment. It has one for a process, so it lives as long, like the library. */
  readonly environment: Pointer;
  /** "The host's memory", which every tensor must name. */
  readonly hostMemory: Pointer;
  call(name: Call, ...args: Argument[]): void;
  /** Calls a function whose last argument is where the new object goes. */
  create(name: Call, ...args: Argument[]): Pointer;
  /** Calls on another thread. `keep` is what must not be collected, besides the arguments, until the call is over. */
  callAsync(name: Call, args: Argument[], keep: unknown): Promise<void>;
  release(kind: keyof typeof releases, object: Pointer): void;
  /** Where a view begins in memory. It stays there for as long as the view is referenced. */
  address(view: ArrayBufferView): Pointer;
}

/**
 * Libraries that were opened, for the life of the process: koffi unloads a library when its object is collected, and
 * whatever then still points into it (a function, a thread, a value to be released) crashes.
 */
const opened = new Map<string, { readonly library: unknown; readonly api: OrtApi }>();

/**
 * Opens the library at a path; a second time gives the same.
 *
 * @throws OpenFlamingoError "backend" when koffi or the library cannot be loaded, or the library is too old
 */
export async function openOrtApi(path: string): Promise<OrtApi> {
  const koffi = await loadKoffi();
  const before = opened.get(path);
  if (before !== undefined) return before.api;
  growAsyncStack(koffi);
  silenceTelemetry();
  const { library, getApiBase } = loadLibrary(koffi, path);
  const api = bind(koffi, path, getApiBase());
  opened.set(path, { library, api });
  return api;
}

/**
 * From 1.30 on the library reports to its maker unless this variable says otherwise before it starts: what model runs,
 * how long, and from which command line. Nothing leaves this program; and a long command line crashes the reading of
 * it (recursion in a regular expression).
 */
export function silenceTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
}

type Koffi = typeof import("koffi").default;

async function loadKoffi(): Promise<Koffi> {
  try {
    return (await import("koffi")).default;
  } catch (cause) {
    throw new OpenFlamingoError("backend", "the package koffi, which calls ONNX Runtime, cannot be loaded", {
      hint: "Run npm install again with optional dependencies: koffi's binary comes in one for each platform.",
      cause,
    });
  }
}

/** `base` is the library's `OrtApiBase`: two functions, `GetApi` and `GetVersionString`. */
function bind(koffi: Koffi, path: string, base: Pointer): OrtApi {
  const [getApi, getVersion] = koffi.decode(base, p, 2) as [Pointer, Pointer];
  const version = koffi.call(getVersion, koffi.proto("str", [])) as string;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major !== 1 || minor < apiVersion) {
    throw new OpenFlamingoError("backend", `ONNX Runtime is ${version}, needed is 1.${apiVersion} or later`, {
      hint: `Install a newer onnxruntime-node. The library is ${path}.`,
    });
  }
  const tablePointer = koffi.call(getApi, koffi.proto(p, ["uint32_t"]), apiVersion) as Pointer;
  const size = 1 + Math.max(...Object.values(calls).map(([place]) => place));
  const table = koffi.decode(tablePointer, p, size) as Pointer[];
  const native = (place: number, result: string, args: readonly string[]) =>
    koffi.decode(table[place], koffi.proto(result, [...args])) as Native;

  const functions = new Map<string, Native>();
  for (const [name, [place, ...args]] of Object.entries(calls)) functions.set(name, native(place, p, args));
  for (const [kind, place] of Object.entries(releases)) functions.set(kind, native(place, "void", [p]));
  const message = native(getErrorMessage, "str", [p]);

  const check = (status: Pointer | null) => {
    if (status === null) return;
    const text = message(status) as string;
    functions.get("Status")!(status);
    throw new Error(text);
  };
  const address: OrtApi["address"] = (view) => {
    // Arrays of up to 64 bytes lie in V8's heap, which moves them, until somebody asks for their buffer.
    void view.buffer;
    return koffi.address(view);
  };
  const passed = (args: readonly Argument[]) =>
    args.map((arg) => (ArrayBuffer.isView(arg) ? address(arg) : arg));
  const call: OrtApi["call"] = (name, ...args) =>
    check(functions.get(name)!(...passed(args)) as Pointer | null);
  const create: OrtApi["create"] = (name, ...args) => {
    const cell = new BigUint64Array(1);
    call(name, ...args, cell);
    return cell[0]!;
  };
  /** What native code on other threads uses now. A variable that is not read again does not keep its value alive. */
  const inUse = new Set<unknown>();
  const [arenaAllocator, defaultMemory] = [1, 0];
  return {
    version,
    environment: create("CreateEnv", onlyFatal, "openflamingo"),
    hostMemory: create("CreateCpuMemoryInfo", arenaAllocator, defaultMemory),
    call,
    create,
    callAsync(name, args, keep) {
      const held = [args, keep];
      inUse.add(held);
      const called = new Promise<Pointer | null>((resolve, reject) => {
        functions
          .get(name)!
          .async(...passed(args), (error, status) => (error ? reject(error) : resolve(status)));
      });
      return called.then(check).finally(() => inUse.delete(held));
    },
    release: (kind, object) => void functions.get(kind)!(object),
    address,
  };
}

/**
 * koffi runs a call on a stack of its own, for asynchronous calls of 128 KiB. That is near the edge: with 64 KiB a
 * product of matrices crashes. Threads that ONNX Runtime starts itself have 512 KiB or more.
 */
function growAsyncStack(koffi: Koffi): void {
  const needed = 2 * 1024 * 1024;
  if ((koffi.config().async_stack_size ?? 0) >= needed) return;
  try {
    koffi.config({ async_stack_size: needed });
  } catch (cause) {
    const hint = `Call koffi.config({ async_stack_size: ${needed} }) before any library is loaded with koffi.`;
    const message = "koffi was used before with a stack that is too small for the backend";
    throw new OpenFlamingoError("backend", message, { hint, cause });
  }
}

function loadLibrary(koffi: Koffi, path: string): { library: unknown; getApiBase: () => Pointer } {
  try {
    const library = koffi.load(path);
    return { library, getApiBase: library.func("OrtGetApiBase", p, []) };
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new OpenFlamingoError("backend", `ONNX Runtime's library ${path} cannot be loaded: ${words}`, {
      hint: "On Linux it needs glibc 2.28 or later (not musl, so not Alpine); on Windows the Visual C++ runtime.",
      cause,
    });
  }
}

/** A name as the C API wants it, ending in a zero. */
export const cString = (name: string): Uint8Array => new TextEncoder().encode(`${name}\0`);

/**
 * The library inside the onnxruntime-node package.
 *
 * @throws OpenFlamingoError "backend" when the package is missing or has no library for the platform
 */
export function findOrtLibrary(
  platform: string = process.platform,
  arch: string = process.arch,
  resolve: (id: string) => string = createRequire(import.meta.url).resolve,
): string {
  let binaries: string;
  try {
    binaries = join(dirname(resolve("onnxruntime-node/package.json")), "bin");
  } catch (cause) {
    throw new OpenFlamingoError("backend", "the package onnxruntime-node is not installed", {
      hint: "npm install --onnxruntime-node-install=skip onnxruntime-node",
      cause,
    });
  }
  // Each is in a folder napi-v6/linux/x64, and likewise for other systems and processors.
  const isLibrary = /[\\/](libonnxruntime\.so\.1|libonnxruntime\.[\d.]+dylib|onnxruntime\.dll)$/;
  const libraries = new Map<string, string>();
  for (const file of readdirSync(binaries, { recursive: true, encoding: "utf8" })) {
    if (isLibrary.test(file)) libraries.set(file.split(/[\\/]/).slice(1, 3).join(" "), join(binaries, file));
  }
  const library = libraries.get(`${platform} ${arch}`);
  if (library !== undefined) return library;
  throw new OpenFlamingoError("backend", `onnxruntime-node has no library for ${platform} ${arch}`, {
    hint: `It has one for ${[...libraries.keys()].join(", ")}.`,
  });
}

/** An error of the library, or of memory, as one of ours. */
export function backendError(where: string, cause: unknown): OpenFlamingoError {
  if (cause instanceof OpenFlamingoError) return cause;
  const words = tidy(cause instanceof Error ? cause.message : String(cause));
  if (/failed to allocate|allocation failed|bad.?alloc/i.test(words)) {
    const hint = "Use smaller batches, fewer images, a shorter prompt or smaller weights.";
    return new OpenFlamingoError("memory", `${where}: not enough memory: ${words}`, { hint, cause });
  }
  return new OpenFlamingoError("backend", `${where}: ${words}`, {
    hint: 'Try the other backend: --backend ort.binding, or { backend: "ort.binding" }.',
    cause,
  });
}

/** The library's words without the files, lines and signatures of its own code. */
const tidy = (words: string): string =>
  words
    .replace(/\S+\.(cc|h|cpp):\d+ (.*?\)( const)?( \[with [^\]]*\])? )?(?=\S)/g, "")
    .replace(/\[ONNXRuntimeError\] : \d+ : \w+ : /g, "")
    .replace(/\s+/g, " ")
    .trim();
