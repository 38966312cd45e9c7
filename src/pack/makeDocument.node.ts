/** Samples of interleaved documents: the document as JSON, with its images in base64. */
import { join } from "node:path";
import type { JsonObject } from "../base/json.js";
import { type Document, imageNameKeys, readDocument, trainingWarning } from "./documents.js";
import { type ImageFault, readImageFile, type StoreOptions, storeImage } from "./readImage.node.js";
import { type AnyRow, isBad } from "./rows.js";
import { hasSpecialTokens, keyOf, type Made, rowName } from "./samples.node.js";

export interface DocumentOptions {
  readonly lists: readonly string[];
  /** The folder of the images. */
  readonly images: string;
  /** Whether the images of a list lie in a folder of its number, as MMC4's conversion has them. */
  readonly folderPerList: boolean;
  /** The similarity from which on training uses an image with a sentence. */
  readonly threshold: number;
  /** Whether documents of which training can use no image are left out. */
  readonly onlyUsable: boolean;
  readonly seed: number;
  readonly store: StoreOptions;
}

/** Training ignores image files of fewer bytes in documents with similarities: ⌊bytes / 1000⌋ must be above 10. */
export const leastImageBytes = 11_000;

/** Bytes of the images of a document together. */
const mostBytes = 256 * 2 ** 20;

/** @throws the signal's reason */
export async function makeDocument(
  row: AnyRow,
  options: DocumentOptions,
  signal: AbortSignal,
): Promise<Made> {
  const { lists, threshold, onlyUsable, seed } = options;
  const name = rowName(lists, row);
  const none = { name, warnings: [], images: 0 };
  if (isBad(row)) return { ...none, skipped: row.fault };
  const document = readDocument(row.values);
  if (typeof document === "string") return { ...none, skipped: document };

  const folder = options.folderPerList ? join(options.images, String(row.list)) : options.images;
  const isMarked = document.kind === "marks";
  const base64Key = isMarked ? "base64_image" : "image_base64";
  const entries = [...(isMarked ? document.images.values() : document.images)];
  const warnings: [string, string][] = [];
  const made: JsonObject[] = [];
  const sizes: (number | undefined)[] = [];
  let total = 0;
  for (const [i, entry] of entries.entries()) {
    signal.throwIfAborted();
    const { [base64Key]: given, ...rest } = entry;
    const label = nameOf(entry) ?? `image ${i + 1}`;
    const image = await imageOf(entry, given, folder, options.store, signal);
    if (typeof image === "string") warnings.push([image, rowName(lists, row, label)]);
    else if (!isMarked && image.length < leastImageBytes) {
      warnings.push([`image-under-${leastImageBytes}-bytes`, rowName(lists, row, label)]);
    }
    const bytes = typeof image === "string" ? undefined : image;
    sizes.push(bytes?.length);
    total += bytes?.length ?? 0;
    if (total > mostBytes) return { ...none, skipped: "too-large" };
    made.push(bytes ? { ...rest, [base64Key]: Buffer.from(bytes).toString("base64") } : rest);
  }
  const unused = trainingWarning(document, sizes, { threshold, leastBytes: leastImageBytes });
  if (unused === "document-without-usable-image" && onlyUsable) return { ...none, warnings, skipped: unused };
  if (unused !== undefined) warnings.push([unused, name]);
  if (textsOf(document).some(hasSpecialTokens)) warnings.push(["special-token-in-text", name]);
  const images = isMarked
    ? { image_map: Object.fromEntries([...document.images.keys()].map((key, i) => [key, made[i]])) }
    : { image_info: made };
  const json = JSON.stringify({ ...document.values, ...images });
  return {
    name,
    sample: { key: keyOf(seed, row), files: [["json", Buffer.from(json)]] },
    warnings,
    images: sizes.filter((size) => size !== undefined).length,
  };
}

const textsOf = (document: Document): readonly string[] =>
  document.kind === "marks" ? [] : document.sentences; // marks are tokens

function nameOf(entry: JsonObject): string | undefined {
  const name = imageNameKeys.map((key) => entry[key]).find((each) => typeof each === "string");
  return name as string | undefined;
}

/** The image that a document holds already, or the file that it names. */
async function imageOf(
  entry: JsonObject,
  given: unknown,
  folder: string,
  store: StoreOptions,
  signal: AbortSignal,
): Promise<Uint8Array | ImageFault> {
  const file =
    given === undefined
      ? await readImageFile(folder, nameOf(entry) ?? "", store.limits?.maxBytes)
      : (bytesOf(given) ?? "image-unreadable");
  if (typeof file === "string") return file;
  const stored = await storeImage(file, store, signal);
  return typeof stored === "string" ? stored : stored.bytes;
}

/** Bytes from base64; undefined where it is none. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string" || !/^[A-Za-z\d+/\s]*={0,2}\s*$/.test(value)) return undefined;
  return Buffer.from(value, "base64");
}
