/** Reads a checkpoint of a run: whether all of it is there as it was written, and what it holds. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { anything, type Fault, faultList, integer, object, readFields } from "../base/fields.js";
import { type JsonValue, parseJsonObject } from "../base/json.js";
import type { Progress } from "../base/progress.js";
import { quoted } from "../base/quoted.js";
import type { Checkpoint, TensorInfo } from "../checkpoints/checkpoint.js";
import { openFile, readText } from "../checkpoints/file.node.js";
import { findInside } from "../checkpoints/insideFolder.node.js";
import { listed } from "../checkpoints/messages.js";
import { inside, type ModelPath } from "../checkpoints/modelPath.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import { parseChecked } from "./checkedJson.node.js";
import { longestManifest, type ManifestEntry, manifestFile, readManifest, stepOf } from "./manifest.js";
import type { FloatTensors, SavedCheckpoint, TrainedTensors } from "./runState.js";
import { modelFile, momentNames, optimizerFile, stateFile } from "./saveCheckpoint.node.js";

export interface OpenCheckpointOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes compared with their sums, and in all. */
  readonly onProgress?: Progress | undefined;
}

/** Bytes of `state.json` that are read: a position in the data may hold what a shuffle buffer holds. */
const longestState = 64 * 2 ** 20;

/**
 * Opens the checkpoint called `name`: every file that its manifest names is compared with its sum.
 *
 * @param folder of the checkpoints
 * @throws OpenFlamingoError `run-invalid` where it is not whole; the signal's reason
 */
export async function openSaved(
  folder: string,
  name: string,
  { signal, onProgress }: OpenCheckpointOptions = {},
): Promise<SavedCheckpoint> {
  const at: ModelPath = { path: join(folder, name), folder };
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("run-invalid", `${at.path}: ${what}`, {
      hint: "The checkpoint is damaged, or not wholly copied: the one before it can be resumed from.",
      cause,
    });
  const read = async (file: string, limit: number) => {
    const found = await readText(inside(at, file), { limit, signal });
    if ("fault" in found) throw invalid(`${file} ${found.fault}`, found.cause);
    return { text: found.text, fail: (what: string) => invalid(`${file} ${what}`) };
  };
  const { text, fail } = await read(manifestFile, longestManifest);
  const { step, files } = readManifest(parseChecked(text, fail), fail);
  if (step !== stepOf(name)) throw fail(`is that of step ${step}`);
  for (const file of [modelFile, optimizerFile, stateFile]) {
    if (!files.some((entry) => entry.name === file)) throw fail(`does not name ${file}`);
  }
  await requireSizes(at, files, invalid);
  await requireSums(at, files, invalid, { signal, onProgress });
  const state = await read(stateFile, longestState);
  const values = readFields(
    valuesReader,
    parseJsonObject(state.text, state.fail),
    (faults: readonly Fault[]) => state.fail(faultList(faults)),
  );
  if (values.step !== step) throw state.fail(`is that of step ${values.step}`);
  return {
    // What JSON was read from is JSON.
    ...(values as Record<"schedule" | "random" | "data", JsonValue>),
    step,
    folder: at.path,
    tensors: await withModel(at, async (model) => model.tensors),
    load: (into, { signal } = {}) => load(at, into, signal),
  };
}

const valuesReader = object({
  step: integer(0, Number.MAX_SAFE_INTEGER),
  schedule: anything,
  random: anything,
  data: anything,
});

type Invalid = (what: string, cause?: unknown) => OpenFlamingoError;

/** Before anything long is read: the sizes say most of what can be wrong. */
async function requireSizes(at: ModelPath, files: readonly ManifestEntry[], invalid: Invalid): Promise<void> {
  for (const { name, bytes } of files) {
    const found = await findInside(inside(at, name));
    if ("fault" in found) throw invalid(`${name} ${found.fault}`, found.cause);
    if (found.stats.size !== BigInt(bytes)) {
      throw invalid(`${name} has ${found.stats.size} bytes, and should have ${bytes}`);
    }
  }
}

const pieceBytes = 4 * 2 ** 20;

async function requireSums(
  at: ModelPath,
  files: readonly ManifestEntry[],
  invalid: Invalid,
  { signal, onProgress }: OpenCheckpointOptions,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const piece = new Uint8Array(pieceBytes);
  let done = 0;
  for (const { name, bytes, sha256 } of files) {
    const hash = createHash("sha256");
    try {
      await withClosing(async (closing) => {
        const source = closing(await openFile(inside(at, name)));
        for (let offset = 0; offset < bytes; offset += pieceBytes) {
          signal?.throwIfAborted();
          hash.update(await source.read(offset, piece.subarray(0, Math.min(pieceBytes, bytes - offset))));
          onProgress?.(done + Math.min(offset + pieceBytes, bytes), total, "checking");
        }
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw invalid(`${name} cannot be read`, cause);
    }
    if (hash.digest("hex") !== sha256) throw invalid(`the bytes of ${name} are not those that were written`);
    done += bytes;
  }
}

const withModel = <T>(at: ModelPath, work: (model: Checkpoint) => Promise<T>): Promise<T> =>
  withClosing(async (closing) => work(closing(await openCheckpoint(inside(at, modelFile)))));

async function load(at: ModelPath, into: TrainedTensors, signal: AbortSignal | undefined): Promise<void> {
  const read = async (checkpoint: Checkpoint, tensors: FloatTensors, prefix = "") => {
    for (const [name, { data }] of tensors) await checkpoint.read(prefix + name, data, { signal });
  };
  await withClosing(async (closing) => {
    const model = closing(await openCheckpoint(inside(at, modelFile), { signal }));
    const optimizer = closing(await openCheckpoint(inside(at, optimizerFile), { signal }));
    const trained = new Map([...optimizer.tensors].filter(([name]) => name.startsWith(momentNames.expAvg)));
    const faults = [
      ...faultsOf(into.parameters, model.tensors),
      ...faultsOf(into.expAvg, trained, momentNames.expAvg, true),
      ...faultsOf(into.expAvgSq, optimizer.tensors, momentNames.expAvgSq),
    ];
    if (faults.length > 0) {
      throw new OpenFlamingoError(
        "checkpoint-mismatch",
        `${at.path}: what was trained is not what is to be trained: ${listed(faults, "; ")}`,
        { hint: "Resume with the model and with the frozen parts that the run was begun with." },
      );
    }
    await read(model, into.parameters);
    await read(optimizer, into.expAvg, momentNames.expAvg);
    await read(optimizer, into.expAvgSq, momentNames.expAvgSq);
  });
}

/** @param isAll whether the file holds nothing else */
function faultsOf(
  wanted: FloatTensors,
  found: ReadonlyMap<string, TensorInfo>,
  prefix = "",
  isAll = false,
): string[] {
  const faults = [...wanted].flatMap(([name, { shape }]) => {
    const info = found.get(prefix + name);
    if (info === undefined) return [`${quoted(prefix + name)} is not in the checkpoint`];
    const isSame = String(info.shape) === String(shape);
    return isSame
      ? []
      : [`${quoted(prefix + name)} is ${quoted(info.shape)} there, and ${quoted(shape)} here`];
  });
  const others = isAll ? [...found.keys()].filter((name) => !wanted.has(name.slice(prefix.length))) : [];
  return [...faults, ...others.map((name) => `${quoted(name)} is not trained any more`)];
}
