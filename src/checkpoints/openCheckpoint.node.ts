/**
 * Opens a checkpoint by its path: one file, or a folder of shards as transformers saves them.
 *
 * Reference: transformers 4.33.3, modeling_utils.py, `from_pretrained` (names and their order) and
 * `load_sharded_checkpoint` (`weight_map`: tensor → file).
 */
import { isObject, parseJsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import { type Checkpoint, noSuchTensor, type TensorInfo } from "./checkpoint.js";
import { missing, openFile, readText } from "./file.node.js";
import { findInside } from "./insideFolder.node.js";
import type { OpenOptions } from "./limits.js";
import { damaged, listed } from "./messages.js";
import { inside, type ModelPath } from "./modelPath.js";
import { openSource } from "./openSource.js";
import { withPlainNames } from "./plainNames.js";
import { pathFault } from "./relativePath.js";
import type { ByteSource } from "./source.js";

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
 * @param path a text: as the caller named it
 * @throws OpenFlamingoError "checkpoint-missing", "checkpoint-damaged" or "checkpoint-rejected"
 * @example
 * await using checkpoint = await openCheckpoint("lang");
 */
export async function openCheckpoint(
  path: string | ModelPath,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  const at = typeof path === "string" ? { path } : path;
  const found = await findInside(at);
  if ("fault" in found) throw missing(at, found);
  if (!found.stats.isDirectory()) return openSource(await openFile(at), options);
  const weights = await findWeights(at);
  if (weights.endsWith(".json")) return openShards(at, weights, options);
  return openSource(await openFile(inside(at, weights)), options);
}

/**
 * The names of the files in a folder that `openCheckpoint` would open: an index and its shards, or a single file.
 *
 * @throws OpenFlamingoError "checkpoint-missing"; "checkpoint-damaged" for an index that names no shards, or such as lie
 *   elsewhere
 */
export async function filesOf(at: ModelPath, options: OpenOptions = {}): Promise<readonly string[]> {
  const index = await findWeights(at);
  if (!index.endsWith(".json")) return [index];
  const { shardOf, fail } = await readIndex(at, index, options);
  const shards = [...new Set(shardOf.values())];
  for (const shard of shards) {
    const fault = pathFault(shard);
    if (fault !== undefined) throw fail(`names the shard ${quoted(shard)}, which ${fault}`);
  }
  return [index, ...shards];
}

/** The file of a folder that holds its weights, or names those that do. */
async function findWeights(at: ModelPath): Promise<string> {
  for (const candidate of candidates) {
    const found = await findInside(inside(at, candidate));
    if (!("fault" in found)) return candidate;
    if (!found.absent) throw missing(at, { ...found, fault: `${candidate} ${found.fault}` });
  }
  const hint = "Is the model's folder whole?";
  throw missing(at, { fault: `holds none of ${candidates.join(", ")}`, hint });
}

async function readIndex(at: ModelPath, index: string, options: OpenOptions) {
  const file = inside(at, index);
  const fail = (what: string, cause?: unknown) => damaged(file.path, what, cause);
  const read = await readText(file, { limit: options.limits?.headerBytes, signal: options.signal });
  if ("fault" in read) throw fail(read.fault, read.cause);
  return { shardOf: weightMapIn(read.text, file.path, fail), fail };
}

/** All shards that the index names, each opened once, as one checkpoint. */
async function openShards(at: ModelPath, index: string, options: OpenOptions): Promise<Checkpoint> {
  const { path: folder } = at;
  const { shardOf, fail } = await readIndex(at, index, options);
  const shards = new Map<string, Checkpoint>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(shardOf.values())) {
      options.signal?.throwIfAborted();
      shards.set(file, await openSource(await openShard(at, file, index), options));
    }
    const tensors = joined(shardOf, shards, fail);
    return {
      name: folder,
      tensors,
      async read(name, into, options) {
        const shard = shards.get(shardOf.get(name) ?? "");
        if (shard === undefined) throw noSuchTensor(folder, name);
        return shard.read(name, into, options);
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openShard(at: ModelPath, name: string, index: string): Promise<ByteSource> {
  const shard = inside(at, name);
  const fault = pathFault(name);
  const found = fault === undefined ? await findInside(shard) : { fault, hint: "Take another index." };
  if (!("fault" in found)) return openFile(shard);
  const what = `the shard ${quoted(name)}, named in ${index}, ${found.fault}`;
  throw missing(at, { ...found, fault: what });
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
function weightMapIn(
  text: string,
  file: string,
  fail: (what: string, cause?: unknown) => Error,
): Map<string, string> {
  const map = parseJsonObject(text, fail).weight_map;
  const entries = isObject(map) ? Object.entries(map) : [];
  const isWhole = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === "string";
  if (entries.length === 0 || !entries.every(isWhole)) throw fail("has no weight_map from tensors to files");
  return withPlainNames(new Map(entries), file);
}
