/** From a model's checkpoints to a prepared folder, which is opened at the disk's speed and takes an eighth. */
import { createHash } from "node:crypto";
import { copyFile, mkdir, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { withClosing } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { integer, optional } from "../base/fields.js";
import { diskError } from "../base/wholeFile.node.js";
import { type ModelFolder, readModelFolder, requireCheckpoints } from "../checkpoints/modelFolder.node.js";
import { byteLengthOf, dataFile, indexFile, showPreparedIndex } from "../checkpoints/preparedIndex.js";
import { withLock } from "../hub/lock.node.js";
import type { WeightUse } from "../onnx/compile.js";
import { productError } from "../prepare/checkProducts.js";
import { journalFile } from "../prepare/journal.node.js";
import { writeWeights } from "../prepare/writeWeights.node.js";
import { openKernelThreads } from "../runner/kernelThreads.node.js";
import { programsOf } from "../runner/modelRunner.js";
import { formatsOf, type WeightFormat } from "../runner/weightFormats.js";
import { findWeights, type LoadProgress, type ReadTensor } from "../runner/weights.js";
import { checkpointOpener, readConfigs } from "./load.js";
import { node } from "./load.node.js";
import { loadReaders } from "./loadOptions.js";
import { readOptions, signal } from "./readOptions.js";

export interface PrepareOptions {
  /** `int4` (the default), `int8` or `fp32`. */
  readonly weights?: WeightFormat | undefined;
  /** How many numbers share a scale: 128 (the default) is the fastest, 32 the most exact. */
  readonly block?: number | undefined;
  /** Stops the work, which goes on from there when it is begun again. */
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes of float32 done and in all. */
  readonly onProgress?: LoadProgress | undefined;
}

const readers = {
  weights: loadReaders.weights,
  block: optional(integer(16, 256)),
  signal,
  onProgress: loadReaders.onProgress,
};

/** What was prepared. */
export interface Prepared {
  readonly folder: string;
  /** Of the weights. */
  readonly bytes: number;
  /** For each matrix in blocks, the error of a product with it, relative to its size; of this run alone. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Files beside the configurations that belong to tokenizers. */
const beside = ["tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"];

/**
 * Writes a folder that `load` opens. Interrupted, it goes on where it was; the folder is there when it is whole.
 *
 * @param model the folder of a model with its checkpoints
 * @param output the folder to be made, which must not be there
 * @throws OpenFlamingoError as `load`; `disk`; `usage` where the output is there
 */
export async function prepare(
  model: string,
  output: string,
  options: PrepareOptions = {},
): Promise<Prepared> {
  readOptions("prepare", readers, options);
  const folder = resolve(output);
  const description = requireCheckpoints(await readModelFolder(model, options.signal));
  const unfinished = `${folder}.unfinished`;
  try {
    // Two processes that prepare the same would write into one folder.
    return await withLock(`${unfinished}-lock`, { signal: options.signal }, async () => {
      await requireAbsent(folder);
      await mkdir(unfinished, { recursive: true });
      const made = await write(description, unfinished, options);
      await rename(unfinished, folder);
      return { folder, ...made };
    });
  } catch (error) {
    throw diskError(unfinished, error);
  }
}

async function requireAbsent(folder: string): Promise<void> {
  if (!(await exists(folder))) return;
  throw new OpenFlamingoError("usage", `${folder}: is there already`, {
    hint: "Remove it, or name another folder.",
  });
}

/** Writes a prepared folder, with its description at last. */
async function write(
  description: ModelFolder,
  to: string,
  { weights = "int4", block = 128, signal, onProgress }: PrepareOptions,
): Promise<Omit<Prepared, "folder">> {
  const { config } = await readConfigs(node, description, signal);
  const programs = programsOf(config, formatsOf(weights, { block }));
  const uses = programs.flatMap((program) => program.weights);
  await requireSpace(to, uses);
  const errors = new Map<string, number>();
  return withClosing(async (closing) => {
    const open = checkpointOpener(node, { signal, limits: undefined });
    const opened = async (path: string) => closing(await open({ folder: description.folder, path }));
    const checkpoints = {
      vision: await opened(description.vision.weights),
      language: await opened(description.language.weights),
      flamingo: await opened(description.flamingo.checkpoint),
    };
    const found = findWeights(uses, checkpoints, config.language);
    const runtime = closing(await node.openRuntime(undefined, undefined));
    const check = async (read: ReadTensor) => {
      const error = await productError(runtime, read);
      if (error !== undefined) errors.set(read.tensor, error);
    };
    const key = await keyOf(description, { weights, block });
    const pool = closing(openKernelThreads());
    const index = await writeWeights(to, uses, found, { key, check, signal, onProgress, pool });
    await writeRest(description, to, { weights, block, index: showPreparedIndex(index) });
    return { bytes: index.bytes, errors };
  });
}

/** @throws OpenFlamingoError `disk` where the weights do not fit beside what is there */
async function requireSpace(folder: string, uses: readonly WeightUse[]): Promise<void> {
  const needed = uses.reduce((sum, use) => sum + byteLengthOf(use), 0);
  const { bavail, bsize } = await statfs(folder);
  const written = await stat(join(folder, dataFile)).then(
    ({ size }) => size,
    () => 0,
  );
  const free = bavail * bsize + written;
  if (needed <= free) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const what = `${folder}: needs ${gigabytes(needed)}, and ${gigabytes(free)} are free`;
  throw new OpenFlamingoError("disk", what, { hint: "Make room, or write to another disk." });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What the weights are made of: the files, and how. Of a folder of shards, the folder itself tells. */
async function keyOf({ folder, vision, language, flamingo }: ModelFolder, how: object): Promise<string> {
  const paths = [vision.weights, language.weights, flamingo.checkpoint, vision.config, language.config];
  const files = await Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return [relative(folder, path), size, mtimeMs];
    }),
  );
  return createHash("sha256")
    .update(JSON.stringify([folder, files, how]))
    .digest("hex");
}

/** The configuration files, the index, and at last the description, by which the folder is one. */
async function writeRest(
  model: ModelFolder,
  to: string,
  { weights, block, index }: { weights: WeightFormat; block: number; index: string },
): Promise<void> {
  const { folder, vision, language, flamingo, card, ...description } = model;
  const copy = async (path: string, optional = false) => {
    const name = relative(folder, path);
    await mkdir(dirname(join(to, name)), { recursive: true });
    await copyFile(path, join(to, name)).catch((error: unknown) => {
      if (!optional) throw error;
    });
    return name.replaceAll("\\", "/");
  };
  for (const config of [vision.config, language.config, language.tokenizer]) {
    for (const name of beside) await copy(join(dirname(config), name), true);
  }
  const files = {
    vision: { config: await copy(vision.config) },
    language: { config: await copy(language.config), tokenizer: await copy(language.tokenizer) },
    ...(card !== undefined && { card: await copy(card) }),
  };
  await writeFile(join(to, indexFile), index);
  await rm(join(to, journalFile), { force: true });
  const sha256 = createHash("sha256").update(index).digest("hex");
  const json = {
    ...{ format: "openflamingo-model", version: 1, ...description, ...files },
    flamingo: { crossAttentionEvery: flamingo.crossAttentionEvery },
    prepared: { version: 1, weights, block, sha256 },
  };
  await writeFile(join(to, "openflamingo.json"), `${JSON.stringify(json, null, 2)}\n`);
}
