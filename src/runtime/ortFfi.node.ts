/**
 * `ort.ffi`: ONNX Runtime through its C API. Outputs are written in place, runs leave the event loop free and can be
 * stopped, weights and caches are used where they lie.
 */
import { linkSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { bug, OpenFlamingoError } from "../base/errors.js";
import type { HostTensor } from "./hostTensor.js";
import {
  backendError,
  cString,
  findOrtLibrary,
  type OrtApi,
  onlyFatal,
  openOrtApi,
  type Pointer,
} from "./ortApi.node.js";
import { createValue, OrtBoundTensor, OrtSession } from "./ortSession.node.js";
import { checkWeights } from "./plan.js";
import {
  type BoundTensor,
  hasQuantisedWeights,
  type LoadOptions,
  type Program,
  type Runtime,
  type Session,
  weightLocation,
} from "./runtime.js";
import { selfTest } from "./selfTest.js";

/**
 * Opens ONNX Runtime and lets it compute one known result.
 *
 * @param options.library the path of the library, in place of the one in the onnxruntime-node package
 * @throws OpenFlamingoError "backend" when the library is missing, does not load, is too old or computes wrongly
 */
export async function openOrtFfi({ library = findOrtLibrary() } = {}): Promise<Runtime> {
  const runtime = new OrtRuntime(await openOrtApi(library));
  await selfTest(runtime);
  return runtime;
}

class OrtRuntime implements Runtime {
  readonly name = "ort.ffi";
  readonly version: string;
  readonly #api: OrtApi;
  readonly #sessions = new Set<OrtSession>();
  #closed = false;

  constructor(api: OrtApi) {
    this.#api = api;
    this.version = api.version;
  }

  async load(program: Program, options: LoadOptions = {}): Promise<Session> {
    options.signal?.throwIfAborted();
    this.#rejectIfClosed();
    checkWeights(program);
    const weights = new Map<string, Pointer>();
    let native: Pointer;
    try {
      for (const [name, tensor] of program.weights) weights.set(name, createValue(this.#api, tensor));
      native = await createSession(this.#api, program, weights, options);
    } catch (error) {
      for (const weight of weights.values()) this.#api.release("Value", weight);
      options.signal?.throwIfAborted();
      throw backendError(`${program.name} cannot be loaded`, error);
    }
    const session = new OrtSession(this.#api, program, native, [...weights.values()], () =>
      this.#sessions.delete(session),
    );
    this.#sessions.add(session);
    if (options.signal?.aborted || this.#closed) await session.close();
    options.signal?.throwIfAborted();
    this.#rejectIfClosed();
    return session;
  }

  bind(tensor: HostTensor): BoundTensor {
    this.#rejectIfClosed();
    return new OrtBoundTensor(this.#api, tensor);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions].map((session) => session.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #rejectIfClosed(): void {
    if (this.#closed) throw bug("backend", `the runtime ${this.name} was closed`);
  }
}

/** Creates the native session off the event loop; `weights` are the handles of the program's weights. */
async function createSession(
  api: OrtApi,
  program: Program,
  weights: ReadonlyMap<string, Pointer>,
  options: LoadOptions,
): Promise<Pointer> {
  const folder = folderOfNoWeights(weights.keys());
  try {
    return await attempt(api, program, weights, { ...options, folder, optimiserSeesWeights: false });
  } catch (error) {
    // An optimisation wants to know a weight, such as a scalar that it could join to a product. If the optimiser sees
    // them, all weights are in memory twice until the session stands, and what it makes of them afterwards.
    if (!/external initializer/i.test(String(error))) throw error;
    return await attempt(api, program, weights, { ...options, folder, optimiserSeesWeights: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * A new folder with the files in which a model says that its weights are. They must exist, though nothing reads them:
 * they are empty, so that reading one after all is an error and not a wrong result. Given as files in memory instead,
 * the backend reads them, rejects them as too short, and is content only with copies of all weights.
 */
function folderOfNoWeights(weights: Iterable<string>): string {
  try {
    const folder = mkdtempSync(join(tmpdir(), "openflamingo-"));
    const [first, ...others] = Array.from(weights, (name) => join(folder, weightLocation(name)));
    if (first !== undefined) writeFileSync(first, "");
    for (const file of others) {
      try {
        linkSync(first!, file); // a twentieth of the time that a new file takes
      } catch {
        writeFileSync(file, ""); // where there are no links, or not so many
      }
    }
    return folder;
  } catch (cause) {
    throw new OpenFlamingoError("disk", `no temporary files can be made in ${tmpdir()}`, {
      hint: "Set TMPDIR (on Windows TEMP) to a folder that can be written to.",
      cause,
    });
  }
}

interface Attempt extends LoadOptions {
  readonly folder: string;
  readonly optimiserSeesWeights: boolean;
}

async function attempt(
  api: OrtApi,
  program: Program,
  weights: ReadonlyMap<string, Pointer>,
  { threads = availableParallelism(), prepack = hasQuantisedWeights(program), signal, ...attempt }: Attempt,
): Promise<Pointer> {
  const settings = Object.entries({
    "session.model_external_initializers_file_folder_path": attempt.folder,
    "session.disable_prepacking": prepack ? "0" : "1",
    // Threads that spin while they have nothing to do take the cores from those of the other sessions.
    "session.intra_op.allow_spinning": "0",
    // What can be computed beforehand was, when the program was made; folding would read the weights.
    "optimization.disable_specified_optimizers": "ConstantFolding",
  });
  const options = api.create("CreateSessionOptions");
  const stop = () => api.call("SessionOptionsSetLoadCancellationFlag", options, true);
  try {
    for (const [key, value] of settings) api.call("AddSessionConfigEntry", options, key, value);
    api.call("SetSessionLogSeverityLevel", options, onlyFatal);
    api.call("SetIntraOpNumThreads", options, threads);
    // Every optimisation but the last kind, which rearranges the weights of convolutions: no gain where it was tried.
    const extended = 2;
    api.call("SetSessionGraphOptimizationLevel", options, extended);
    // Given in this way, weights are used where they lie, and the optimiser does not see them.
    for (const [name, weight] of weights) api.call("AddInitializer", options, name, weight);
    if (attempt.optimiserSeesWeights) {
      const strings = Array.from(weights.keys(), cString);
      const names = BigUint64Array.from(strings, api.address);
      const values = BigUint64Array.from(weights.values());
      api.call("AddExternalInitializers", options, names, values, weights.size);
    }
    signal?.addEventListener("abort", stop);
    const session = new BigUint64Array(1);
    const model = [program.bytes, program.bytes.length] as const;
    await api.callAsync("CreateSessionFromArray", [api.environment, ...model, options, session], program);
    return session[0]!;
  } finally {
    signal?.removeEventListener("abort", stop);
    api.release("SessionOptions", options);
  }
}
