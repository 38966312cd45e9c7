/**
 * The folder of a training run:
 *
 *     run.json            what the run is: its settings, and the model that it trains
 *     openflamingo.json   from the first checkpoint on: the folder is a model's, with the newest checkpoint
 *     model/              the files of the frozen parts
 *     checkpoints/        step-00001200/ with manifest.json, model and optimizer .safetensors, state.json
 *     log.jsonl, tensorboard/
 *     lock                while a trainer has the run open
 *
 * What is in `checkpoints` under a name of its own is whole; see `saveCheckpoint.node.ts`.
 */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asyncDispose } from "../base/dispose.js";
import { bug, OpenFlamingoError } from "../base/errors.js";
import type { JsonObject, JsonValue } from "../base/json.js";
import { type Lock, tryLock } from "../base/lock.node.js";
import { quoted } from "../base/quoted.js";
import { diskError, syncFolder, writeWhole } from "../base/wholeFile.node.js";
import type { ModelDescription } from "../checkpoints/modelFolder.js";
import type { OpenableModel } from "../checkpoints/openableModel.js";
import { showChecked } from "./checkedJson.node.js";
import type { EventValues } from "./eventFile.js";
import { eventFolder, type Logs, logFile, openLogs } from "./logs.node.js";
import { checkpointName, stepOf, superseded } from "./manifest.js";
import { type OpenCheckpointOptions, openSaved } from "./openCheckpoint.node.js";
import { findRun, readDescription, runFile } from "./runDescription.node.js";
import { baseFolder, describeRunModel, linkBaseModel, showRunModel } from "./runModel.node.js";
import type { RunState, SavedCheckpoint } from "./runState.js";
import { modelFile, replacedOf, type SaveOptions, saveCheckpoint } from "./saveCheckpoint.node.js";

const checkpointsFolder = "checkpoints";
const lockFile = "lock";
/** What a run has in its folder beside its description and its lock. */
const runParts = [checkpointsFolder, baseFolder, eventFolder, logFile];

export interface OpenRunOptions extends OpenCheckpointOptions {
  /** Called once for each thing that a user should know, such as a damaged checkpoint. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The time in seconds since 1970, for the logs. */
  readonly now?: (() => number) | undefined;
}

export interface CreateRunOptions extends OpenRunOptions {
  /** All options of the training, as JSON. */
  readonly settings: JsonObject;
  /** The model whose frozen parts the run uses; without one the folder is no model folder. */
  readonly base?: OpenableModel | undefined;
}

export interface SaveRunOptions extends SaveOptions {
  /** How many of the newest checkpoints stay, from 1 on. Default: 2. */
  readonly keep?: number | undefined;
  /** Checkpoints of steps that this divides stay for ever. Default: none do. */
  readonly keepEvery?: number | undefined;
}

/** An open run, which no other trainer can open meanwhile. */
export interface Run extends AsyncDisposable {
  /** Absolute. */
  readonly folder: string;
  readonly settings: JsonObject;
  /** The newest checkpoint that is whole, from which the run goes on; undefined: it begins. */
  readonly latest: SavedCheckpoint | undefined;
  /** Notes values of a step in `log.jsonl` and for TensorBoard. @throws OpenFlamingoError `disk` */
  log(step: number, values: EventValues): Promise<void>;
  /**
   * Saves a checkpoint; older ones beyond `keep` go when it is complete. The tensors must stay as they are meanwhile.
   *
   * @returns its folder
   * @throws OpenFlamingoError `disk`, with all that was saved before as it was; `run-locked` where another process has
   *   taken the run over; `internal` for a state that cannot be saved; the signal's reason
   */
  save(state: RunState, options?: SaveRunOptions): Promise<string>;
  close(): Promise<void>;
  /**
   * Closes a run that has no checkpoint, and removes it; the folder stays.
   *
   * @param others names of what else in the folder belongs to it
   * @throws OpenFlamingoError `disk`; `internal` for a run that has one
   */
  discard(others: readonly string[]): Promise<void>;
}

/**
 * Begins a run in a new or empty folder.
 *
 * @throws OpenFlamingoError `usage` where something is in the folder; `run-locked`; `disk`; `model-…` and
 *   `checkpoint-…` of the base model; the signal's reason
 */
export async function createRun(folder: string, options: CreateRunOptions): Promise<Run> {
  const root = resolve(folder);
  const { settings, base, signal, onNotice } = options;
  await atDisk(root, () => mkdir(root, { recursive: true }));
  return locked(root, async (lock) => {
    // What a creation leaves that was killed.
    const own = (name: string) => [lockFile, baseFolder].includes(name) || name.startsWith(`.${runFile}.`);
    const others = (await atDisk(root, () => readdir(root))).filter((name) => !own(name));
    if (others.length > 0) {
      const isRun = others.includes(runFile);
      const what = isRun ? "there is a run already" : `there is something else: ${quoted(others[0])}`;
      throw new OpenFlamingoError("usage", `${root}: a run cannot begin where ${what}`, {
        hint: isRun ? "Resume it, or give another folder." : "Give a new or an empty folder.",
      });
    }
    const model = base && (await linkBaseModel(root, base, { signal, onNotice }));
    const document = {
      ...{ format: "openflamingo-run", version: 1, settings: settings as JsonValue },
      ...(model && { model: showRunModel(model) as JsonValue }),
    };
    await atDisk(root, async () => {
      await writeWhole(join(root, runFile), (file) => file.writeFile(showChecked(document)));
      await mkdir(join(root, checkpointsFolder), { recursive: true });
    });
    const logs = await openLogs(root, 0, options.now);
    return runOf({ root, settings, model, lock, logs, latest: undefined, onNotice });
  });
}

/**
 * Opens a run to go on with it, at its newest checkpoint that is whole: what is damaged is reported and set aside.
 *
 * @throws OpenFlamingoError `run-missing`; `run-invalid` where its description is damaged, or all its checkpoints are;
 *   `run-locked` where another trainer has it open; `disk`; the signal's reason
 */
export async function openRun(folder: string, options: OpenRunOptions = {}): Promise<Run> {
  const root = resolve(folder);
  await findRun(root);
  return locked(root, async (lock) => {
    const { settings, model } = await readDescription(root, options.signal);
    const checkpoints = join(root, checkpointsFolder);
    await atDisk(checkpoints, () => cleanUp(checkpoints));
    const latest = await findLatest(checkpoints, options);
    if (model && latest) await describeRunModel(root, model, modelPathOf(latest.step));
    const logs = await openLogs(root, latest?.step ?? 0, options.now);
    return runOf({ root, settings, model, lock, logs, latest, onNotice: options.onNotice });
  });
}

const modelPathOf = (step: number) => `${checkpointsFolder}/${checkpointName(step)}/${modelFile}`;

interface RunParts extends Pick<Run, "settings" | "latest"> {
  readonly root: string;
  readonly model: ModelDescription | undefined;
  readonly lock: Lock;
  readonly logs: Logs;
  readonly onNotice: OpenRunOptions["onNotice"];
}

function runOf({ root, settings, model, lock, logs, latest, onNotice }: RunParts): Run {
  const checkpoints = join(root, checkpointsFolder);
  const close = async () => {
    await logs.close();
    await lock.close();
  };
  return {
    folder: root,
    settings,
    latest,
    log: (step, values) => logs.log(step, values),
    async save(state, { keep = 2, keepEvery, ...options } = {}) {
      if (!(await lock.isHeld())) throw isLocked(root, "another process has taken it over");
      try {
        // A line of the log that is lost would be missing in what goes on from here.
        await logs.sync();
        const name = await saveCheckpoint(checkpoints, state, options);
        if (model) await describeRunModel(root, model, modelPathOf(state.step));
        await removeOld(checkpoints, { keep, keepEvery }).catch((error: unknown) => {
          onNotice?.(`an old checkpoint in ${checkpoints} could not be removed: ${(error as Error).message}`);
        });
        return join(checkpoints, name);
      } catch (error) {
        throw unsaved(root, state.step, error);
      }
    },
    close,
    async discard(others) {
      const isKept = (await atDisk(checkpoints, () => stepsIn(checkpoints))).length > 0;
      if (isKept) throw bug("internal", `the run in ${root} has a checkpoint, and was to be removed`);
      await logs.close();
      // What makes it a run goes first: what a kill leaves of the rest is then no run that lacks a part.
      for (const name of [runFile, ...runParts, ...others]) {
        await atDisk(root, () => rm(join(root, name), { recursive: true, force: true }));
      }
      await lock.close();
    },
    [asyncDispose]: close,
  };
}

/** An error of the disk while a checkpoint is saved, as one of ours. */
function unsaved(root: string, step: number, error: unknown): unknown {
  const ours = diskError(root, error);
  if (!(ours instanceof OpenFlamingoError) || ours.code !== "disk") return ours;
  const what = `${ours.message}. The checkpoint of step ${step} is not saved; those before it are whole`;
  return new OpenFlamingoError("disk", what, { hint: `${ours.hint} Then resume the run.`, cause: error });
}

async function atDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(path, error);
  }
}

const isLocked = (root: string, what: string) =>
  new OpenFlamingoError("run-locked", `${root}: ${what}`, {
    hint: "One trainer writes a run at a time: wait for the other, stop it, or give another folder.",
  });

/** Does work while having the run's lock, which is given back where the work fails. */
async function locked<T>(root: string, work: (lock: Lock) => Promise<T>): Promise<T> {
  const lock = await tryLock(join(root, lockFile));
  if ("owner" in lock) {
    const { owner } = lock;
    const who = owner ? `process ${owner.process} on ${quoted(owner.host)}` : "another process";
    throw isLocked(root, `${who} trains in this folder`);
  }
  try {
    return await work(lock);
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** Removes what killed processes left; what was about to be replaced comes back where nothing has replaced it. */
async function cleanUp(checkpoints: string): Promise<void> {
  await mkdir(checkpoints, { recursive: true });
  const names = await readdir(checkpoints);
  for (const name of names) {
    const step = stepOf(name.slice(1).replace(/\.[^.]*$/, ""));
    if (!name.startsWith(".") || step === undefined) continue;
    const isLost = name === replacedOf(checkpointName(step)) && !names.includes(checkpointName(step));
    if (isLost) await rename(join(checkpoints, name), join(checkpoints, checkpointName(step)));
    else await rm(join(checkpoints, name), { recursive: true, force: true });
  }
}

const stepsIn = async (checkpoints: string): Promise<number[]> =>
  (await readdir(checkpoints)).flatMap((name) => stepOf(name) ?? []).sort((a, b) => b - a);

async function findLatest(
  checkpoints: string,
  { signal, onNotice, onProgress }: OpenRunOptions,
): Promise<SavedCheckpoint | undefined> {
  const damaged: { readonly name: string; readonly error: OpenFlamingoError }[] = [];
  let latest: SavedCheckpoint | undefined;
  for (const step of await atDisk(checkpoints, () => stepsIn(checkpoints))) {
    const name = checkpointName(step);
    try {
      latest = await openSaved(checkpoints, name, { signal, onProgress });
      break;
    } catch (error) {
      if (!(error instanceof OpenFlamingoError)) throw error;
      damaged.push({ name, error });
    }
  }
  if (latest === undefined && damaged.length > 0) {
    const { message } = damaged[0]!.error;
    throw new OpenFlamingoError("run-invalid", `none of the run's checkpoints is whole: ${message}`, {
      hint: `Put a copy of a whole one there; or remove ${checkpoints} to begin again from step 0.`,
    });
  }
  // So that they are not counted among those that are kept, nor met again.
  for (const { name, error } of damaged) {
    const aside = `${name}.damaged`;
    await atDisk(checkpoints, async () => {
      await rm(join(checkpoints, aside), { recursive: true, force: true });
      await rename(join(checkpoints, name), join(checkpoints, aside));
    });
    onNotice?.(`${error.message}; it is kept as ${aside}, and the run goes on from step ${latest!.step}`);
  }
  return latest;
}

/** First out of the way, then gone: half of a checkpoint never has a checkpoint's name. */
async function removeOld(
  checkpoints: string,
  kept: { readonly keep: number; readonly keepEvery: number | undefined },
): Promise<void> {
  for (const step of superseded(await stepsIn(checkpoints), kept)) {
    const leaving = join(checkpoints, `.${checkpointName(step)}.removed`);
    await rm(leaving, { recursive: true, force: true });
    await rename(join(checkpoints, checkpointName(step)), leaving);
    await syncFolder(checkpoints);
    await rm(leaving, { recursive: true, force: true });
  }
}
