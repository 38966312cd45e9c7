/**
 * Opens a checkpoint by its path: one file, or a folder of shards as transformers saves them.
 *
 * Reference: transformers 4.33.3, modeling_utils.py, `from_pretrained` (names and their order) and
 * `load_sharded_checkpoint` (`weight_map`: tensor → file).
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, parseJsonObject, quoted } from "../base/json.js";
import { type Checkpoint, noSuchTensor, type TensorInfo } from "./checkpoint.js";
import { openFile, readTextFile } from "./file.node.js";
import { findInside } from "./insideFolder.node.js";
import type { OpenOptions } from "./limits.js";
import { damaged, listed } from "./messages.js";
import { openSource } from "./openSource.js";

/** The files of a folder that may hold its weights, the first found being taken. */
const candidates = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/**
 * Opens a file (.safetensors, .bin, .pt: distinguished by content), or a folder with an index or a single file.
 *
 * @throws OpenFlamingoError "checkpoint-missing", "checkpoint-damaged" or "checkpoint-rejected"
 * @example
 * await using checkpoint = await openCheckpoint("lang");
 */
export async function openCheckpoint(path: string, options: OpenOptions = {}): Promise<Checkpoint> {
  if (!(await isFolder(path))) return openSource(await openFile(path), options);
  for (const candidate of candidates) {
    const found = await findInside(path, candidate);
    if ("fault" in found) {
      if (found.fault === "is not there") continue;
      throw missing(`${path}: ${candidate} ${found.fault}`);
    }
    if (candidate.endsWith(".json")) return openShards(path, candidate, options);
    return openSource(await openFile(found.path), options);
  }
  throw missing(`${path}: holds none of ${candidates.join(", ")}`);
}

const missing = (what: string) =>
  new OpenFlamingoError("checkpoint-missing", what, { hint: "Is the model's folder whole?" });

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** All shards that the index names, each opened once, as one checkpoint. */
async function openShards(folder: string, index: string, options: OpenOptions): Promise<Checkpoint> {
  const fail = (what: string, cause?: unknown) => damaged(join(folder, index), what, cause);
  const shardOf = weightMapIn(await readTextFile(join(folder, index), fail, options.limits), fail);
  const shards = new Map<string, Checkpoint>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(shardOf.values())) {
      options.signal?.throwIfAborted();
      const found = await findInside(folder, file);
      if ("fault" in found) {
        throw missing(`${folder}: the shard ${quoted(file)}, named in ${index}, ${found.fault}`);
      }
      shards.set(file, await openSource(await openFile(found.path), options));
    }
    const tensors = joined(shardOf, shards, fail);
    return {
      name: folder,
      tensors,
      async read(name, into, options) {
        const shard = shards.get(shardOf.get(name) ?? "");
        if (shard === undefined) throw noSuchTensor(folder, name);
        await shard.read(name, into, options);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The tensors of all shards, each being where the index says. */
function joined(
  shardOf: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, Checkpoint>,
  fail: (what: string) => Error,
): Map<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  const unnamed: string[] = [];
  for (const [file, shard] of shards) {
    for (const [name, info] of shard.tensors) {
      if (shardOf.get(name) === file) tensors.set(name, info);
      else unnamed.push(`${quoted(name)} in ${quoted(file)}`);
    }
  }
  const absent = [...shardOf].filter(([name]) => !tensors.has(name));
  if (absent.length > 0) {
    const places = absent.map(([name, file]) => `${quoted(name)} in ${quoted(file)}`);
    throw fail(`names tensors that their shards lack: ${listed(places)}`);
  }
  if (unnamed.length > 0) throw fail(`leaves out tensors of its shards: ${listed(unnamed)}`);
  return tensors;
}

/** An index's `weight_map`: tensor → file. */
function weightMapIn(text: string, fail: (what: string, cause?: unknown) => Error): Map<string, string> {
  const map = parseJsonObject(text, fail).weight_map;
  const entries = isObject(map) ? Object.entries(map) : [];
  const isWhole = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === "string";
  if (entries.length === 0 || !entries.every(isWhole)) throw fail("has no weight_map from tensors to files");
  return new Map(entries);
}
