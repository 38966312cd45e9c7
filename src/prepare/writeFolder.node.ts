/** From a model's checkpoints to a prepared folder, which is opened at the disk's speed and takes an eighth. */
import { createHash } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { shownSize } from "../base/bytes.js";
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { withLock } from "../base/lock.node.js";
import type { Progress } from "../base/progress.js";
import { quoted } from "../base/quoted.js";
import { diskError } from "../base/wholeFile.node.js";
import { noteChecked } from "../checkpoints/checkedWeights.node.js";
import { preparedVersion } from "../checkpoints/modelFolder.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import { byteLengthOf, dataFile, unfinishedEnding } from "../checkpoints/preparedIndex.js";
import { freeOn } from "../hub/fetchBlob.node.js";
import type { VisionConfiguration } from "../models/configuration.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import type { WeightUse } from "../onnx/compile.js";
import { calibrate } from "../runner/calibrate.js";
import { featureProgram } from "../runner/features.js";
import { programsOf } from "../runner/modelRunner.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { type FoundUses, findFeatures } from "../weights/clipTowers.js";
import { openKernelThreads } from "../weights/kernelThreads.node.js";
import { findWeights, type Importance, type ReadTensor } from "../weights/loadWeights.js";
import { preparedWeights, stored } from "../weights/preparedWeights.js";
import {
  type FormatSettings,
  formatsOf,
  halvesOf,
  type IsHalf,
  type Kept,
} from "../weights/weightFormats.js";
import { productError } from "./checkProducts.js";
import { type Description, describeFolder } from "./describeFolder.node.js";
import { calibrationFolder, importanceFor } from "./importance.node.js";
import { journalFile } from "./journal.node.js";
import { digestOf, readWhole, type Sample } from "./sample.node.js";
import { writeWeights } from "./writeWeights.node.js";

export interface WriteFolderOptions extends FormatSettings {
  /** What the model reads for the importance of columns, and the id of its `<image>`; without calibration if left out. */
  readonly calibration?: { readonly samples: readonly Sample[]; readonly imageToken: number } | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes of float32 done and in all (`preparing`), or samples (`calibrating`). */
  readonly onProgress?: Progress | undefined;
  /** Called once if another process writes the same folder. */
  readonly onWaiting?: (() => void) | undefined;
}

/** What the configuration files of a model say. */
export interface Configs {
  readonly config: FlamingoConfig;
  readonly visual: VisionConfiguration;
}

export interface Written {
  /** Of the weights. */
  readonly bytes: number;
  /** For each matrix in few bits, the error of a product with it, relative to its size; of this run alone. */
  readonly errors: ReadonlyMap<string, number>;
}

/**
 * Writes a folder that `load` opens, unless it is there. Interrupted, it goes on where it was; the folder is there when
 * it is whole.
 *
 * @param folder absolute
 * @returns undefined where the folder was there, or another process has made it meanwhile
 * @throws OpenFlamingoError what reading a checkpoint throws; `disk`; `backend`
 */
export async function writeFolder(
  folder: string,
  model: OpenableModel,
  configs: Configs,
  options: WriteFolderOptions,
): Promise<Written | undefined> {
  const unfinished = folder + unfinishedEnding;
  try {
    // Two processes that prepare the same would write into one folder.
    return await withLock(`${unfinished}-lock`, options, async () => {
      if (await exists(folder)) return undefined;
      await mkdir(unfinished, { recursive: true });
      const written = await write(model, unfinished, configs, options);
      await rename(unfinished, folder);
      return written;
    });
  } catch (error) {
    throw diskError(unfinished, error);
  }
}

/** Writes a prepared folder, with its description at last. */
async function write(
  model: OpenableModel,
  to: string,
  { config, visual }: Configs,
  { weights, block, keep, calibration, signal, onProgress }: WriteFolderOptions,
): Promise<Written> {
  const settings: FormatSettings = { weights, block, keep };
  const formatOf = formatsOf(weights, settings);
  const programs = programsOf(config, formatOf);
  const ofGeneration = programs.flatMap((program) => program.weights);
  const errors = new Map<string, number>();
  return withClosing(async (closing) => {
    const at = pathsOf(model);
    const opened = async (...[part, path]: Parameters<typeof at>) =>
      closing(await openCheckpoint(at(part, path), { signal }));
    const checkpoints = {
      vision: await opened("vision", model.vision.weights),
      language: await opened("language", model.language.weights),
      flamingo: await opened("flamingo", model.flamingo.checkpoint),
    };
    const parts: readonly FoundUses[] = [
      { uses: ofGeneration, found: findWeights(ofGeneration, checkpoints, config.language) },
      ...(["vision", "text"] as const).map((tower) =>
        findFeatures(tower, () => featureProgram(tower, visual, formatOf), checkpoints.vision),
      ),
    ];
    const uses = [...new Map(parts.flatMap((part) => part.uses.map((use) => [use.name, use]))).values()];
    const found = new Map(parts.flatMap((part) => [...part.found]));
    requireKept(keep, found);
    const runtime = closing(await openRuntime());
    const check = async (read: ReadTensor) => {
      const error = await productError(runtime, read);
      if (error !== undefined) errors.set(read.tensor, error);
    };
    const pool = closing(openKernelThreads());
    const isHalf = halvesOf(settings);
    const writeTo = async (
      folder: string,
      uses: readonly WeightUse[],
      how: object,
      importance?: Importance,
    ) => {
      await requireSpace(folder, uses, isHalf);
      const key = await keyOf(model, { version: preparedVersion, weights, block, ...how });
      const preparing = (done: number, total: number) => onProgress?.(done, total, "preparing");
      const options = { key, check, signal, onProgress: preparing, pool, isHalf, importance };
      return writeWeights(folder, uses, found, options);
    };

    const how = keep.size > 0 ? { keep: [...keep] } : {};
    if (!calibration || !formatOf) {
      const index = await writeTo(to, uses, how);
      await finish(model, to, { ...settings, index });
      return { bytes: index.bytes, errors };
    }
    const { samples, imageToken } = calibration;
    const digest = digestOf(samples);
    const { importance, sha256 } = await importanceFor(
      to,
      await keyOf(model, { version: preparedVersion, weights, block, ...how, samples: digest }),
      (folder) => writeTo(folder, ofGeneration, how),
      (index, folder) =>
        calibrate(formatOf, samples.map(readWhole), {
          ...{ runtime, config, imageToken, signal, weights: preparedWeights(ofGeneration, index, folder) },
          onSample: (done, total) => onProgress?.(done, total, "calibrating"),
        }),
    );
    const index = await writeTo(to, uses, { ...how, importance: sha256 }, importance);
    const read = { samples: samples.length, sha256: digest };
    await finish(model, to, { ...settings, index, calibration: read });
    return { bytes: index.bytes, errors };
  });
}

async function finish(model: OpenableModel, to: string, description: Description): Promise<void> {
  await rm(join(to, journalFile), { force: true });
  await rm(join(to, calibrationFolder), { recursive: true, force: true });
  const sha256 = await describeFolder(model, to, description);
  const file = await open(join(to, dataFile));
  try {
    await noteChecked({ folder: to, file, index: description.index, sha256 });
  } finally {
    await file.close();
  }
}

/** @throws OpenFlamingoError `disk` where the weights do not fit beside what is there */
async function requireSpace(folder: string, uses: readonly WeightUse[], isHalf: IsHalf): Promise<void> {
  const needed = uses.reduce((sum, use) => sum + byteLengthOf(stored(use, isHalf)), 0);
  const written = await stat(join(folder, dataFile)).then(
    ({ size }) => size,
    () => 0,
  );
  const free = (await freeOn(folder)) + written;
  if (needed <= free) return;
  const what = `${folder}: needs ${shownSize(needed)}, and ${shownSize(free)} are free`;
  throw new OpenFlamingoError("disk", what, { hint: "Make room, or write to another disk." });
}

/** @throws OpenFlamingoError `usage` for a part of a name that no tensor has */
function requireKept(keep: Kept, tensors: ReadonlyMap<string, unknown>): void {
  const names = [...tensors.keys()];
  const unknown = [...keep.keys()].filter((part) => !names.some((name) => name.includes(part)));
  if (unknown.length === 0) return;
  throw new OpenFlamingoError("usage", `keep: no tensor of the model has ${quoted(unknown[0])} in its name`, {
    hint: `Names are such as ${names.at(-1)}.`,
    data: { options: ["keep"] },
  });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What the weights are made of: the files, and how. Of a folder of shards, the folder itself tells. */
async function keyOf(
  { vision, language, flamingo, visionJson }: OpenableModel,
  how: object,
): Promise<string> {
  const paths = [vision.weights, language.weights, flamingo.checkpoint, language.config];
  const files = await Promise.all(
    [...paths, ...(visionJson === undefined ? [vision.config] : [])].map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return [path, size, mtimeMs];
    }),
  );
  return createHash("sha256")
    .update(JSON.stringify([files, visionJson, how]))
    .digest("hex");
}
