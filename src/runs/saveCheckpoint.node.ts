/**
 * Writes a checkpoint so that at any moment, whatever kills the process, either all of it is there or nothing is: into a
 * folder under another name, brought to the disk, the manifest last, and the folder then renamed.
 */
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { bug } from "../base/errors.js";
import { syncFolder } from "../base/wholeFile.node.js";
import { safetensorsFile } from "../checkpoints/writeSafetensors.node.js";
import { showChecked } from "./checkedJson.node.js";
import { checkpointName, isFileName, type ManifestEntry, manifestFile, showManifest } from "./manifest.js";
import type { FloatTensors, RunState, RunValues, TrainedTensors } from "./runState.js";

export const modelFile = "model.safetensors";
export const optimizerFile = "optimizer.safetensors";
export const stateFile = "state.json";

/** How the optimizer's tensors are called in their file. */
export const momentNames = { expAvg: "exp_avg.", expAvgSq: "exp_avg_sq." } as const;

/** Names of folders that are not finished, or on their way out. */
export const unfinishedOf = (name: string): string => `.${name}.unfinished`;
export const replacedOf = (name: string): string => `.${name}.replaced`;

export interface SaveOptions {
  /** Further files of the checkpoint, by their names: what a run wants to have beside its state. */
  readonly files?: ReadonlyMap<string, () => Iterable<Uint8Array>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @param folder of the checkpoints, which is there
 * @returns the name of the checkpoint's folder
 * @throws what the file system throws; the signal's reason; OpenFlamingoError `internal` for a state that cannot be saved
 */
export async function saveCheckpoint(
  folder: string,
  state: RunState,
  { files = new Map(), signal }: SaveOptions = {},
): Promise<string> {
  const contents = new Map([...contentsOf(state), ...files]);
  const name = checkpointName(state.step);
  const unfinished = join(folder, unfinishedOf(name));
  await rm(unfinished, { recursive: true, force: true });
  try {
    await mkdir(unfinished);
    const entries: ManifestEntry[] = [];
    for (const [file, bytes] of contents) {
      if (!isFileName(file)) throw bug("internal", `a file of a checkpoint cannot be called ${file}`);
      entries.push({ name: file, ...(await writeSynced(join(unfinished, file), bytes(), signal)) });
    }
    const manifest = showChecked(showManifest({ step: state.step, files: entries }));
    await writeSynced(join(unfinished, manifestFile), [Buffer.from(manifest)], signal);
    await syncFolder(unfinished);
    await putInPlace(folder, unfinished, name);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
  return name;
}

/** The folder under its own name; one that is there, of the same step, goes when the new one has its place. */
async function putInPlace(folder: string, unfinished: string, name: string): Promise<void> {
  const [final, replaced] = [join(folder, name), join(folder, replacedOf(name))];
  const isThere = await stat(final).then(
    () => true,
    () => false,
  );
  if (isThere) {
    await rm(replaced, { recursive: true, force: true });
    await rename(final, replaced);
  }
  try {
    await rename(unfinished, final);
  } catch (error) {
    if (isThere) await rename(replaced, final);
    throw error;
  }
  await syncFolder(folder);
  // What is left of it is removed when the run is opened again.
  if (isThere) await rm(replaced, { recursive: true, force: true }).catch(() => {});
}

/** Writes a new file and brings it to the disk. */
async function writeSynced(
  path: string,
  pieces: Iterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Omit<ManifestEntry, "name">> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(path, "wx");
  try {
    for (const piece of pieces) {
      signal?.throwIfAborted();
      hash.update(piece);
      bytes += piece.length;
      await file.writeFile(piece);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}

function contentsOf(state: RunState): ReadonlyMap<string, () => Iterable<Uint8Array>> {
  requireSame(state);
  const { step, schedule, random, data, parameters, frozen = new Map() } = state;
  const values: RunValues = { step, schedule, random, data };
  const moments = (["expAvg", "expAvgSq"] as const).flatMap((moment) =>
    [...state[moment]].map(([name, tensor]) => [momentNames[moment] + name, tensor] as const),
  );
  const text = `${JSON.stringify(values, requireJson, 2)}\n`;
  return new Map<string, () => Iterable<Uint8Array>>([
    [modelFile, () => safetensorsFile(new Map([...parameters, ...frozen]), { step: String(step) })],
    [optimizerFile, () => safetensorsFile(new Map(moments))],
    [stateFile, () => [Buffer.from(text)]],
  ]);
}

/** JSON would write null for a number that is none, and leave out what it does not know. */
function requireJson(key: string, value: unknown): unknown {
  const isJson =
    value === null ||
    ["string", "boolean"].includes(typeof value) ||
    (typeof value === "number" && Number.isFinite(value)) ||
    Array.isArray(value) ||
    (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype);
  if (isJson) return value;
  throw bug(
    "internal",
    `the state of a run has a value under ${JSON.stringify(key)} that JSON does not hold`,
  );
}

function requireSame({ parameters, expAvg, expAvgSq, frozen = new Map() }: RunState): void {
  for (const [name, { shape }] of parameters) {
    const isSame = (of: FloatTensors) => String(of.get(name)?.shape) === String(shape);
    if (!isSame(expAvg) || !isSame(expAvgSq) || frozen.has(name)) throw unlike(name);
  }
  for (const of of [expAvg, expAvgSq] satisfies TrainedTensors["expAvg"][]) {
    const other = [...of.keys()].find((name) => !parameters.has(name));
    if (other !== undefined) throw unlike(other);
  }
}

const unlike = (name: string) =>
  bug("internal", `the tensor ${name} is not once among parameters, and once among each of their moments`);
