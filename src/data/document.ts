/**
 * A document of MMC4, read from its JSON file. There are two kinds: web pages whose images have similarities to the
 * sentences, and texts with marks where the images belong (the key `is_gpt`, whatever its value).
 *
 * Reference: open_flamingo/train/data.py, `preprocess_interleaved` and `preprocess_gpt_interleaved`.
 */
import { isObject, type JsonObject } from "../base/json.js";
import { readBase64 } from "./base64.js";
import { readText } from "./caption.js";
import type { SkipCause } from "./skips.js";

/** A web page. */
export interface Page {
  readonly kind: "page";
  readonly sentences: readonly string[];
  /** The image files that are large enough, in their order. */
  readonly images: readonly Uint8Array[];
  /** For each of them its similarity to each sentence, by the columns of the file's matrix. */
  readonly similarities: readonly (readonly number[])[];
}

/** A text with marks `_!_IMAGE1_!_`, `_!_IMAGE2_!_`, … */
export interface MarkedText {
  readonly kind: "marked";
  readonly text: string;
  /** The files of image 1, 2, … */
  readonly images: readonly Uint8Array[];
}

export type Document = Page | MarkedText;

/** Smaller images are left out: icons, most of them. In bytes of the file. */
export const leastImageBytes = 11_000;

/**
 * @param options.minImageBytes of a page's images; default 11,000
 * @returns the reason why it cannot be used, in place of a document
 */
export function readDocument(
  bytes: Uint8Array,
  { minImageBytes = leastImageBytes }: { readonly minImageBytes?: number | undefined } = {},
): Document | SkipCause {
  const text = readText(bytes);
  if (text === undefined) return "document-invalid";
  let value: unknown;
  try {
    // Not `parseJson`, whose look at every name takes longer than reading the images does.
    value = JSON.parse(text);
  } catch {
    return "document-invalid";
  }
  if (!isObject(value)) return "document-invalid";
  return Object.hasOwn(value, "is_gpt") ? readMarked(value) : readPage(value, minImageBytes);
}

function readPage(document: JsonObject, minImageBytes: number): Page | SkipCause {
  const { text_list: sentences, image_info: infos, similarity_matrix: matrix } = document;
  if (!isListOf(sentences, (each) => typeof each === "string")) return "document-invalid";
  if (!isListOf(infos, isObject) || !isMatrix(matrix)) return "document-invalid";
  const images: Uint8Array[] = [];
  const rows: number[] = [];
  for (const [row, info] of infos.entries()) {
    if (!Object.hasOwn(info, "image_base64")) continue;
    const image = readImage(info.image_base64);
    if (image === undefined) return "document-invalid";
    if (image.length < minImageBytes) continue;
    images.push(image);
    rows.push(row);
  }
  if (images.length === 0) return "no-images";
  const similarities = rows.map((row) => matrix[row]);
  if (!similarities.every((row) => row?.every((each) => Number.isFinite(each)))) return "document-invalid";
  return { kind: "page", sentences, images, similarities: similarities as number[][] };
}

function readMarked({ example, image_map: map }: JsonObject): MarkedText | SkipCause {
  if (typeof example !== "string" || !isObject(map)) return "document-invalid";
  const images: Uint8Array[] = [];
  for (let i = 1; i <= Object.keys(map).length; i++) {
    const entry = map[`_!_IMAGE${i}_!_`];
    const image = isObject(entry) ? readImage(entry.base64_image) : undefined;
    if (image === undefined) return "document-invalid";
    images.push(image);
  }
  return images.length === 0 ? "no-images" : { kind: "marked", text: example, images };
}

const readImage = (value: unknown) => (typeof value === "string" ? readBase64(value) : undefined);

function isListOf<T>(value: unknown, holds: (item: unknown) => item is T): value is T[];
function isListOf(value: unknown, holds: (item: unknown) => boolean): value is string[];
function isListOf(value: unknown, holds: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds);
}

/** Rows of the same length. */
const isMatrix = (value: unknown): value is unknown[][] =>
  isListOf(
    value,
    (row): row is unknown[] => Array.isArray(row) && row.length === (value as unknown[][])[0]!.length,
  );
