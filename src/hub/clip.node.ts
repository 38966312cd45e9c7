/**
 * OpenAI's CLIP ViT-L/14: from its own address, in the folder that OpenAI's and open_clip's Python packages use too, or
 * open_clip's copy on the hub, which holds the same numbers in float32.
 *
 * Source: the table of addresses in openai/CLIP (`clip/clip.py`), where the folder in a file's address is its SHA-256;
 * open_clip's `pretrained.py`, which since version 2.29 takes the copy on the hub, the first of its two files that is there.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { headUrl } from "../net/headUrl.node.js";
import { repositoryCache } from "./cache.node.js";
import { fetchBlob, hashFile, partialBytes } from "./fetchBlob.node.js";
import { addressOf, type HubOptions, hubFile } from "./hub.node.js";

export interface PublishedFile {
  readonly name: string;
  readonly address: string;
  readonly sha256: string;
  readonly size: number;
  /** The repository on the hub with the same weights, as open_clip keeps them. */
  readonly copy: string;
}

const sha256 = "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836";
export const clipVitL14: PublishedFile = {
  name: "ViT-L-14.pt",
  address: `https://openaipublic.azureedge.net/clip/models/${sha256}/ViT-L-14.pt`,
  sha256,
  size: 932_768_134,
  copy: "timm/vit_large_patch14_clip_224.openai",
};

/** A copy's files, in the order in which open_clip looks for them. */
const copyFiles = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];
/** Before the hub's copy is taken in place of an address that does not answer. */
const answerSeconds = 30;

export interface ClipFile {
  readonly path: string;
  /** The repository of the hub's copy; undefined for OpenAI's file. */
  readonly repository?: string | undefined;
}

/**
 * The file of CLIP's weights: one that is at hand, whichever it is, otherwise OpenAI's, or the hub's copy where OpenAI's
 * address does not answer. OpenAI's file, from whatever source, is taken if its SHA-256 is the published one, the hub's
 * copy if it is the one that the hub states.
 *
 * @throws OpenFlamingoError `network`, `disk`; `checkpoint-damaged` for another file in its place; the signal's reason
 */
export async function clipFile(options: HubOptions, file: PublishedFile = clipVitL14): Promise<ClipFile> {
  const { settings, signal } = options;
  const path = join(settings.clipCache, file.name);
  const found = await stat(path).catch(() => undefined);
  if (found) {
    const isIt =
      found.size === file.size && (await hashFile(path, file.size, "sha256", signal)) === file.sha256;
    if (isIt) return { path };
    throw new OpenFlamingoError(
      "checkpoint-damaged",
      `${path}: is not the file that was published (SHA-256 ${file.sha256})`,
      { hint: "Remove it, and it is fetched again." },
    );
  }
  const there = await cachedCopy(options, file);
  if (there) return there;
  const hint = byHand(path, file, options);
  if (settings.isOffline) {
    throw new OpenFlamingoError(
      "network",
      `${file.address}: is not in the cache, and HF_HUB_OFFLINE is set`,
      {
        hint: `Unset it. ${hint}`,
      },
    );
  }
  try {
    await fetchPublished(file, path, options);
    return { path };
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    options.onNotice?.(`${error.message}: the copy of ${file.copy} on the hub is taken in its place`);
    const copy = await fetchedCopy(file, options).catch((other: unknown) => {
      if (!isUnreachable(other)) throw other;
      return undefined; // what keeps from the first source is what is reported
    });
    if (copy) return copy;
    throw new OpenFlamingoError("network", error.message, { hint: `${error.hint} ${hint}`, cause: error });
  }
}

/** Bytes that `clipFile` would fetch. */
export async function clipBytesToFetch(options: HubOptions, file: PublishedFile): Promise<number> {
  if (options.settings.isOffline) return 0; // `clipFile` says what is missing
  const path = join(options.settings.clipCache, file.name);
  if ((await stat(path).catch(() => undefined)) || (await cachedCopy(options, file))) return 0;
  return file.size - (await partialBytes(path));
}

async function fetchPublished(file: PublishedFile, path: string, options: HubOptions): Promise<void> {
  const { name, size } = file;
  const address = new URL(file.address);
  // A new try after each of several silences would take minutes.
  const { status } = await headUrl(address, { ...options, maxSeconds: answerSeconds });
  if (status >= 400) {
    throw new OpenFlamingoError("network", `${file.address}: the server answers ${status}`, {
      hint: "Try again later.",
    });
  }
  const hash = { kind: "sha256", hex: file.sha256 } as const;
  await fetchBlob({ name, address, size, hash, path }, { ...options, headers: {} });
}

/** Whether an error says that a source is away, rather than that it gives something else. */
const isUnreachable = (error: unknown): error is OpenFlamingoError =>
  error instanceof OpenFlamingoError && error.code === "network" && !error.data.final;

const copyAt = ({ copy }: PublishedFile, file: string) => ({ repository: copy, revision: "main", file });

/** The hub's copy in the cache, however it came there. */
async function cachedCopy({ settings }: HubOptions, { copy }: PublishedFile): Promise<ClipFile | undefined> {
  const cache = repositoryCache(settings.cache, copy);
  const commit = await cache.commitOf("main");
  for (const file of commit === undefined ? [] : copyFiles) {
    const path = await cache.find(commit!, file);
    if (path !== undefined) return { path, repository: copy };
  }
  return undefined;
}

async function fetchedCopy(of: PublishedFile, options: HubOptions): Promise<ClipFile | undefined> {
  for (const file of copyFiles) {
    const found = await hubFile(copyAt(of, file), options);
    if (found) return { path: found.path, repository: of.copy };
  }
  return undefined;
}

/** Where a file may be put that was fetched by other means. */
function byHand(path: string, file: PublishedFile, { settings }: HubOptions): string {
  const [first = ""] = copyFiles;
  const { folder, snapshot } = repositoryCache(settings.cache, file.copy);
  return (
    `The file may be put at ${path} by hand; its SHA-256 is ${file.sha256}. Or the hub's copy, ` +
    `${addressOf(copyAt(file, first), settings)}, at ${join(snapshot("COMMIT"), first)}, ` +
    `with the commit written in ${join(folder, "refs/main")}.`
  );
}

/**
 * The path of CLIP's `tokenizer.json`, fetched if it is not there; undefined where the hub has none. open_clip brings
 * its tokenizer along, as a list of merges (`bpe_simple_vocab_16e6.txt.gz`); in the form of a `tokenizer.json`, the same
 * one is in the repository of OpenAI's ViT-L/14 on the hub.
 *
 * @throws as `hubFile`
 */
export const clipTokenizer = async (options: HubOptions): Promise<string | undefined> =>
  (await hubFile({ ...clipRepository, file: "tokenizer.json" }, { ...options, preferCache: true }))?.path;

const clipRepository = { repository: "openai/clip-vit-large-patch14", revision: "main" };
