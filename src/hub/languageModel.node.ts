/** All files of a language model's repository that loading needs. */

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, parseJsonObject } from "../base/json.js";
import { quoted } from "../base/quoted.js";
import { byName, type CachedFile, type HubOptions, hubFile } from "./hub.node.js";
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

/** Called with the name of each file before it is asked for. */
export type OnFile = (file: string) => void;

export interface RepositoryAt {
  readonly repository: string;
  readonly revision: string;
}

/** Fetches the tokenizer's files. @returns their folder @throws as `hubFile` */
export async function fetchTokenizer(
  at: RepositoryAt,
  options: HubOptions,
  onFile?: OnFile,
): Promise<string> {
  const { folder, commit } = await begin(at, "tokenizer.json", options, onFile);
  for (const file of tokenizer.slice(1)) await fetch({ ...at, revision: commit }, file, options, onFile);
  return folder;
}

/**
 * Fetches configuration, weights and tokenizer, all of one commit.
 *
 * @returns their folder
 * @throws as `hubFile`; OpenFlamingoError `model-missing` where the repository lacks one of them
 */
export async function fetchLanguageModel(
  at: RepositoryAt,
  options: HubOptions,
  onFile?: OnFile,
): Promise<string> {
  const { folder, commit } = await begin(at, "config.json", options, onFile);
  const pinned = { ...at, revision: commit };
  await requireFile(pinned, "tokenizer.json", options, onFile);
  for (const file of [...tokenizer.slice(1), "generation_config.json"]) {
    await fetch(pinned, file, options, onFile);
  }
  for (const file of weights) {
    const found = await fetch(pinned, file, options, onFile);
    if (!found) continue;
    if (file.endsWith(".json")) {
      for (const shard of await shardsOf(found.path)) await requireFile(pinned, shard, options, onFile);
    }
    return folder;
  }
  throw lacks(at, `any of ${weights.join(", ")}`);
}

async function begin(at: RepositoryAt, file: string, options: HubOptions, onFile?: OnFile) {
  const { path, commit } = await requireFile(at, file, options, onFile);
  return { folder: dirname(path), commit };
}

const fetch = (at: RepositoryAt, file: string, options: HubOptions, onFile?: OnFile) => {
  onFile?.(file);
  return hubFile({ ...at, file }, byName(options, `${at.repository} ${file}`));
};

/** The same for a file that must be there. */
export async function requireFile(
  at: RepositoryAt,
  file: string,
  options: HubOptions,
  onFile?: OnFile,
): Promise<CachedFile> {
  const found = await fetch(at, file, options, onFile);
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
