/**
 * Making a native session of a program, by `ort.ffi`: its weights stay where they lie. Weights in files are mapped.
 * For weights in memory the model names a file for each, which is never read; they are given as initializers.
 */
import { linkSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { onAbort } from "../base/abort.js";
import { OpenFlamingoError } from "../base/errors.js";
import { cString, type OrtApi, onlyFatal } from "./ortApi.node.js";
import type { Pointer } from "./ortLibrary.node.js";
import {
  folderOfWeights,
  hasQuantisedWeights,
  type LoadOptions,
  type Program,
  weightLocation,
} from "./runtime.js";

/** What is to be loaded. */
export interface Loading extends LoadOptions {
  readonly program: Program;
  /** The handles of the program's weights in memory, by name. */
  readonly weights: ReadonlyMap<string, Pointer>;
  /** Aborted when the runtime is closed. */
  readonly closing: AbortSignal;
}

/**
 * Creates the native session, off the event loop. The caller releases it.
 *
 * @throws Error with the library's words, also when a signal stopped it; OpenFlamingoError "disk"
 */
export async function createSession(api: OrtApi, loading: Loading): Promise<Pointer> {
  const files = folderOfWeights(loading.program);
  if (files !== undefined) return attempt(api, { ...loading, folder: files, optimiserSeesWeights: false });
  const folder = folderOfNoWeights(loading.weights.keys());
  try {
    return await attempt(api, { ...loading, folder, optimiserSeesWeights: false });
  } catch (error) {
    // An optimisation wants to know a weight, such as a scalar that it could join to a product. If the optimiser sees
    // them, all weights are in memory twice until the session stands, and what it makes of them afterwards.
    if (!/external initializer/i.test(String(error))) throw error;
    return await attempt(api, { ...loading, folder, optimiserSeesWeights: true });
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

interface Attempt extends Loading {
  readonly folder: string;
  readonly optimiserSeesWeights: boolean;
}

async function attempt(api: OrtApi, { program, signal, closing, ...attempt }: Attempt): Promise<Pointer> {
  const options = api.create("CreateSessionOptions");
  const stop = () => api.call("SessionOptionsSetLoadCancellationFlag", options, true);
  const stopListening = [signal, closing].map((each) => onAbort(each, stop));
  try {
    configure(api, options, program, attempt);
    giveWeights(api, options, attempt);
    for (const each of [signal, closing]) each?.throwIfAborted();
    const session = new BigUint64Array(1);
    const model = [program.bytes, program.bytes.length] as const;
    await api.callAsync("CreateSessionFromArray", [api.environment, ...model, options, session], program);
    return session[0]!;
  } finally {
    for (const each of stopListening) each();
    api.release("SessionOptions", options);
  }
}

function configure(
  api: OrtApi,
  options: Pointer,
  program: Program,
  {
    threads = availableParallelism(),
    prepack = hasQuantisedWeights(program),
    folder,
  }: Pick<Attempt, "threads" | "prepack" | "folder">,
): void {
  const settings = Object.entries({
    "session.model_external_initializers_file_folder_path": folder,
    "session.disable_prepacking": prepack ? "0" : "1",
    // Threads that spin while they have nothing to do take the cores from those of the other sessions.
    "session.intra_op.allow_spinning": "0",
    // What can be computed beforehand was, when the program was made; folding would read the weights.
    "optimization.disable_specified_optimizers": "ConstantFolding",
  });
  for (const [key, value] of settings) api.call("AddSessionConfigEntry", options, key, value);
  api.call("SetSessionLogSeverityLevel", options, onlyFatal);
  // A plan of memory for each set of sizes, of which every step has another: never used again, and kept beside the rest.
  api.call("DisableMemPattern", options);
  api.call("SetIntraOpNumThreads", options, threads);
  // Every optimisation but the last kind, which rearranges the weights of convolutions: no gain where it was tried.
  const extended = 2;
  api.call("SetSessionGraphOptimizationLevel", options, extended);
}

function giveWeights(
  api: OrtApi,
  options: Pointer,
  { weights, optimiserSeesWeights }: Pick<Attempt, "weights" | "optimiserSeesWeights">,
): void {
  // Given in this way, weights are used where they lie, and the optimiser does not see them.
  for (const [name, weight] of weights) api.call("AddInitializer", options, name, weight);
  if (!optimiserSeesWeights) return;
  const strings = Array.from(weights.keys(), cString);
  const names = BigUint64Array.from(strings, api.address);
  const values = BigUint64Array.from(weights.values());
  api.call("AddExternalInitializers", options, names, values, weights.size);
}
