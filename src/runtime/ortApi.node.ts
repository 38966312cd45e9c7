/**
 * ONNX Runtime's C API, called in the library that lies inside the onnxruntime-node package.
 *
 * Facts: `onnxruntime_c_api.h`. The library exports `OrtGetApiBase`; its `GetApi(version)` returns a table of
 * function pointers to which new versions only ever append, so a place in the table is a function for good.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { type Library, loadKoffi, loadOrtLibrary, type Pointer } from "./ortLibrary.node.js";

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
  DisableMemPattern: [17, p],
  SetSessionLogSeverityLevel: [22, p, "int"],
  SetSessionGraphOptimizationLevel: [23, p, "int"],
  SetIntraOpNumThreads: [24, p, "int"],
  CreateRunOptions: [39, p],
  RunOptionsSetTerminate: [46, p],
  CreateTensorWithDataAsOrtValue: [49, p, p, "size_t", p, "size_t", "int", p],
  CreateCpuMemoryInfo: [69, "int", "int", p],
  AddSessionConfigEntry: [130, p, "str", "str"],
  AddRunConfigEntry: [165, p, "str", "str"],
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

/** Libraries that were opened, with what keeps them loaded, for the life of the process. */
const opened = new Map<string, { readonly library: Library; readonly api: OrtApi }>();

/**
 * Opens the library at a path; a second time gives the same.
 *
 * @throws OpenFlamingoError "backend" when koffi or the library cannot be loaded, or the library is too old
 */
export async function openOrtApi(path: string): Promise<OrtApi> {
  const koffi = await loadKoffi();
  const before = opened.get(path);
  if (before !== undefined) return before.api;
  const library = loadOrtLibrary(koffi, path);
  const api = bind(library);
  opened.set(path, { library, api });
  return api;
}

function bind(library: Library): OrtApi {
  const version = requireVersion(library);
  const { functions, message } = readTable(library);
  const { koffi } = library;

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

/** `OrtApiBase` is two functions, `GetApi` and `GetVersionString`. */
const baseOf = ({ koffi, base }: Library) => koffi.decode(base, p, 2) as [Pointer, Pointer];

/** @returns the library's version, such as `1.30.0` */
function requireVersion(library: Library): string {
  const { koffi, path } = library;
  const [, getVersion] = baseOf(library);
  const version = koffi.call(getVersion, koffi.proto("str", [])) as string;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major === 1 && minor >= apiVersion) return version;
  throw new OpenFlamingoError("backend", `ONNX Runtime is ${version}, needed is 1.${apiVersion} or later`, {
    hint: `Install a newer onnxruntime-node. The library is ${path}.`,
  });
}

/** The functions of `calls` and `releases`, by name, and the one that gives the message of a status. */
function readTable(library: Library): { functions: ReadonlyMap<string, Native>; message: Native } {
  const { koffi } = library;
  const [getApi] = baseOf(library);
  const tablePointer = koffi.call(getApi, koffi.proto(p, ["uint32_t"]), apiVersion) as Pointer;
  const size = 1 + Math.max(...Object.values(calls).map(([place]) => place));
  const table = koffi.decode(tablePointer, p, size) as Pointer[];
  const native = (place: number, result: string, args: readonly string[]) =>
    koffi.decode(table[place], koffi.proto(result, [...args])) as Native;

  const functions = new Map<string, Native>();
  for (const [name, [place, ...args]] of Object.entries(calls)) functions.set(name, native(place, p, args));
  for (const [kind, place] of Object.entries(releases)) functions.set(kind, native(place, "void", [p]));
  return { functions, message: native(getErrorMessage, "str", [p]) };
}

/** A name as the C API wants it, ending in a zero. */
export const cString = (name: string): Uint8Array => new TextEncoder().encode(`${name}\0`);
