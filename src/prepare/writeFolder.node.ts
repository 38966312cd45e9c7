/** From a model's checkpoints to a prepared folder, which is opened at the disk's speed and takes an eighth. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shownSize } from "../base/bytes.js";
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { diskError } from "../base/wholeFile.node.js";
import { noteChecked } from "../checkpoints/checkedWeights.node.js";
import { findInside } from "../checkpoints/insideFolder.node.js";
import { preparedVersion } from "../checkpoints/modelFolder.js";
import { beside, type ModelPath } from "../checkpoints/modelPath.js";
import { type OpenableModel, pathsOf } from "../checkpoints/openableModel.js";
import { openCheckpoint } from "../checkpoints/openCheckpoint.node.js";
import {
  byteLengthOf,
  dataFile,
  indexFile,
  showPreparedIndex,
  unfinishedEnding,
} from "../checkpoints/preparedIndex.js";
import { freeOn } from "../hub/fetchBlob.node.js";
import { withLock } from "../hub/lock.node.js";
import type { VisionConfiguration } from "../models/configuration.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import type { WeightUse } from "../onnx/compile.js";
import { type FoundUses, findFeatures } from "../runner/clipTowers.js";
import { featureProgram } from "../runner/features.js";
import { openKernelThreads } from "../runner/kernelThreads.node.js";
import { programsOf } from "../runner/modelRunner.js";
import { formatsOf, type WeightFormat } from "../runner/weightFormats.js";
import { findWeights, type LoadProgress, type ReadTensor } from "../runner/weights.js";
import { openRuntime } from "../runtime/openRuntime.node.js";
import { productError } from "./checkProducts.js";
import { journalFile } from "./journal.node.js";
import { writeWeights } from "./writeWeights.node.js";

export interface WriteFolderOptions {
  readonly weights: WeightFormat;
  /** How many numbers share a scale. */
  readonly block: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes of float32 done and in all. */
  readonly onProgress?: LoadProgress | undefined;
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
  { weights, block, signal, onProgress }: WriteFolderOptions,
): Promise<Written> {
  const formatOf = formatsOf(weights, { block });
  const ofGeneration = programsOf(config, formatOf).flatMap((program) => program.weights);
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
    await requireSpace(to, uses);
    const runtime = closing(await openRuntime());
    const check = async (read: ReadTensor) => {
      const error = await productError(runtime, read);
      if (error !== undefined) errors.set(read.tensor, error);
    };
    const key = await keyOf(model, { version: preparedVersion, weights, block });
    const pool = closing(openKernelThreads());
    const index = await writeWeights(to, uses, found, { key, check, signal, onProgress, pool });
    const sha256 = await writeRest(model, to, { weights, block, index: showPreparedIndex(index) });
    const file = await open(join(to, dataFile));
    closing({ close: () => file.close() });
    await noteChecked({ folder: to, file, index, sha256 });
    return { bytes: index.bytes, errors };
  });
}

/** @throws OpenFlamingoError `disk` where the weights do not fit beside what is there */
async function requireSpace(folder: string, uses: readonly WeightUse[]): Promise<void> {
  const needed = uses.reduce((sum, use) => sum + byteLengthOf(use), 0);
  const written = await stat(join(folder, dataFile)).then(
    ({ size }) => size,
    () => 0,
  );
  const free = (await freeOn(folder)) + written;
  if (needed <= free) return;
  const what = `${folder}: needs ${shownSize(needed)}, and ${shownSize(free)} are free`;
  throw new OpenFlamingoError("disk", what, { hint: "Make room, or write to another disk." });
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

/**
 * The configuration files, from wherever the model has them into one layout; the index; and at last the description, by
 * which the folder is one.
 *
 * @returns the SHA-256 of the index
 */
async function writeRest(
  model: OpenableModel,
  to: string,
  { weights, block, index }: { weights: WeightFormat; block: number; index: string },
): Promise<string> {
  const { name, words, licence, card, prompt, generation, vision, language, flamingo } = model;
  const { visionJson, clipTokenizer } = model;
  const at = pathsOf(model);
  const tokenizer = at("language", language.tokenizer);
  await mkdir(join(to, "clip"), { recursive: true });
  await mkdir(join(to, "lang"), { recursive: true });
  const visionConfig = at("vision", vision.config);
  if (visionJson === undefined) await copyFile(visionConfig.path, join(to, files.vision));
  else await writeFile(join(to, files.vision), `${JSON.stringify(visionJson, null, 2)}\n`);
  await copyIfThere(clipTokenizer ?? beside(visionConfig, "tokenizer.json"), join(to, files.clipTokenizer));
  await copyFile(language.config, join(to, files.language));
  await copyFile(language.tokenizer, join(to, files.tokenizer));
  for (const name of ["special_tokens_map.json", "tokenizer_config.json"]) {
    await copyIfThere(beside(tokenizer, name), join(to, "lang", name));
  }
  if (card) await copyFile(card, join(to, files.card));
  await writeFile(join(to, indexFile), index);
  await rm(join(to, journalFile), { force: true });
  const sha256 = createHash("sha256").update(index).digest("hex");
  const json = {
    ...{ format: "openflamingo-model", version: 1, name, words, licence, prompt, generation },
    ...(card && { card: files.card }),
    vision: { config: files.vision },
    language: { config: files.language, tokenizer: files.tokenizer },
    flamingo: { crossAttentionEvery: flamingo.crossAttentionEvery },
    prepared: { version: preparedVersion, weights, block, sha256 },
  };
  await writeFile(join(to, "openflamingo.json"), `${JSON.stringify(json, null, 2)}\n`);
  return sha256;
}

/** Where a prepared folder has its small files. */
const files = {
  vision: "clip/open_clip_config.json",
  clipTokenizer: "clip/tokenizer.json",
  language: "lang/config.json",
  tokenizer: "lang/tokenizer.json",
  card: "README.md",
};

async function copyIfThere(from: ModelPath, to: string): Promise<void> {
  const found = await findInside(from);
  if ("real" in found) await copyFile(found.real, to);
}
