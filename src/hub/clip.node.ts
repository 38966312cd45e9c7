/**
 * OpenAI's CLIP ViT-L/14, from its own address, in the folder that OpenAI's and open_clip's Python packages use too.
 *
 * Source: the table of addresses in openai/CLIP (`clip/clip.py`); the folder in a file's address is its SHA-256.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { fetchBlob, hashFile } from "./fetchBlob.node.js";
import { type HubOptions, hubFile } from "./hub.node.js";

export interface PublishedFile {
  readonly name: string;
  readonly address: string;
  readonly sha256: string;
  readonly size: number;
}

const sha256 = "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836";
export const clipVitL14: PublishedFile = {
  name: "ViT-L-14.pt",
  address: `https://openaipublic.azureedge.net/clip/models/${sha256}/ViT-L-14.pt`,
  sha256,
  size: 932_768_134,
};

/**
 * The path of the file, fetched if it is not there. One that is there, from whatever source, is taken if its SHA-256 is
 * the published one.
 *
 * @throws OpenFlamingoError `network`, `disk`; `checkpoint-damaged` for another file in its place; the signal's reason
 */
export async function clipFile(options: HubOptions, file: PublishedFile = clipVitL14): Promise<string> {
  const { settings, signal } = options;
  const path = join(settings.clipCache, file.name);
  const found = await stat(path).catch(() => undefined);
  if (found) {
    const isIt =
      found.size === file.size && (await hashFile(path, file.size, "sha256", signal)) === file.sha256;
    if (isIt) return path;
    throw new OpenFlamingoError(
      "checkpoint-damaged",
      `${path}: is not the file that was published (SHA-256 ${file.sha256})`,
      { hint: "Remove it, and it is fetched again." },
    );
  }
  const hint = `The file may be put at ${path} by hand; its SHA-256 is ${file.sha256}.`;
  if (settings.isOffline) {
    throw new OpenFlamingoError(
      "network",
      `${file.address}: is not in the cache, and HF_HUB_OFFLINE is set`,
      {
        hint: `Unset it. ${hint}`,
      },
    );
  }
  const { address, size } = file;
  try {
    const hash = { kind: "sha256", hex: file.sha256 } as const;
    await fetchBlob(
      { name: file.name, address: new URL(address), size, hash, path },
      { ...options, headers: {} },
    );
  } catch (error) {
    if (!(error instanceof OpenFlamingoError) || error.code !== "network") throw error;
    throw new OpenFlamingoError("network", error.message, { hint: `${error.hint} ${hint}`, cause: error });
  }
  return path;
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
