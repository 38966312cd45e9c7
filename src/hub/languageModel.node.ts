/** All files of a language model's repository that loading needs. */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, parseJsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import { repositoryCache } from "./cache.node.js";
import { bytesToFetch, type CachedFile, type HubOptions, hubFile } from "./hub.node.js";
import { isPlainName } from "./names.js";

/** Weights, in the order in which `openCheckpoint` looks for them. */
const weights = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];
const tokenizer = ["tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"];
const mostShards = 1000;
const mostIndexBytes = 16 * 2 ** 20;

export interface RepositoryAt {
  readonly repository: string;
  readonly revision: string;
}

/** A folder of the cache with files of one commit. */
export interface Snapshot {
  readonly repository: string;
  readonly folder: string;
  readonly commit: string;
}

/** Fetches the tokenizer's files. @throws as `hubFile` */
export async function fetchTokenizer(at: RepositoryAt, options: HubOptions): Promise<Snapshot> {
  const { path, commit } = await requireFile(at, "tokenizer.json", options);
  for (const file of tokenizer.slice(1)) await hubFile({ ...at, revision: commit, file }, options);
  return { repository: at.repository, folder: dirname(path), commit };
}

/**
 * Fetches configuration, weights and tokenizer, all of one commit.
 *
 * @throws as `hubFile`; OpenFlamingoError `model-missing` where the repository lacks one of them
 */
export async function fetchLanguageModel(at: RepositoryAt, options: HubOptions): Promise<Snapshot> {
  const { path, commit } = await requireFile(at, "config.json", options);
  const pinned = { ...at, revision: commit };
  await fetchTokenizer(pinned, options);
  await hubFile({ ...pinned, file: "generation_config.json" }, options);
  for (const file of weights) {
    const found = await hubFile({ ...pinned, file }, options);
    if (!found) continue;
    if (file.endsWith(".json")) {
      for (const shard of await shardsOf(found.path)) await requireFile(pinned, shard, options);
    }
    return { repository: at.repository, folder: dirname(path), commit };
  }
  throw lacks(at, `any of ${weights.join(", ")}`);
}

/**
 * Bytes of weights that `fetchLanguageModel` would fetch; the other files are small. A shard index is fetched.
 *
 * @throws as `fetchLanguageModel`
 */
export async function languageBytesToFetch(at: RepositoryAt, options: HubOptions): Promise<number> {
  for (const file of weights) {
    const bytes = await bytesToFetch({ ...at, file }, options);
    if (bytes === undefined) continue;
    if (!file.endsWith(".json") || options.settings.isOffline) return bytes;
    const { path, commit } = await requireFile(at, file, options);
    const shards = (await shardsOf(path)).map((file) => ({ ...at, revision: commit, file }));
    const sizes = await Promise.all(shards.map((shard) => bytesToFetch(shard, options)));
    return sizes.reduce<number>((sum, size = 0) => sum + size, 0);
  }
  return 0; // `fetchLanguageModel` says what is missing
}

/**
 * Does work with the first of several repositories with the same model: the first of which there is something in the
 * cache; otherwise the first that the hub gives.
 */
export async function withFirstLanguageModel<T>(
  all: readonly RepositoryAt[],
  options: HubOptions,
  work: (at: RepositoryAt, options: HubOptions) => Promise<T>,
): Promise<T> {
  for (const at of all) {
    const cache = repositoryCache(options.settings.cache, at.repository);
    const commit = await cache.commitOf(at.revision);
    if (commit && (await cache.find(commit, "config.json"))) return work(at, options);
  }
  const [at, ...others] = all as [RepositoryAt, ...RepositoryAt[]];
  return work(at, options).catch((error: unknown) => {
    const isWithheld = error instanceof OpenFlamingoError && /^(401|403|404)$/.test(`${error.data.status}`);
    if (others.length === 0 || !isWithheld) throw error;
    options.onNotice?.(`${at.repository} cannot be had: ${others[0]!.repository} is taken in its place`);
    return withFirstLanguageModel(others, options, work);
  });
}

/** A file that must be there. @throws as `hubFile`; OpenFlamingoError `model-missing` */
export async function requireFile(at: RepositoryAt, file: string, options: HubOptions): Promise<CachedFile> {
  const found = await hubFile({ ...at, file }, options);
  if (!found) throw lacks(at, file);
  return found;
}

const lacks = ({ repository, revision }: RepositoryAt, what: string) =>
  new OpenFlamingoError("model-missing", `${repository} (${revision}) on the hub does not have ${what}`, {
    hint: "Check the name and the revision.",
  });

/**
 * The files that an index names. The names come from a server: one that is not a plain name is not asked for.
 *
 * @throws OpenFlamingoError `model-invalid`
 */
async function shardsOf(index: string): Promise<readonly string[]> {
  const invalid = (what: string, cause?: unknown) =>
    new OpenFlamingoError("model-invalid", `${index}: ${what}`, {
      hint: "The repository's index is wrong: take another revision.",
      cause,
    });
  const bytes = await readFile(index);
  if (bytes.length > mostIndexBytes)
    throw invalid(`has ${bytes.length} bytes; at most ${mostIndexBytes} are read`);
  const map = parseJsonObject(bytes.toString("utf8"), invalid).weight_map;
  const names = [...new Set(isObject(map) ? Object.values(map) : [])];
  if (names.length === 0 || names.length > mostShards) throw invalid("has no list of shards that is read");
  const wrong = names.find((name) => typeof name !== "string" || !isPlainName(name));
  if (wrong !== undefined)
    throw invalid(`names the shard ${quoted(wrong)}, which is no plain name of a file`);
  return names as string[];
}
