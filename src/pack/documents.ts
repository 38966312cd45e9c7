/**
 * Interleaved documents in MMC4's form, checked before anything is done with them, and the simple form brought into it.
 *
 * Source: MMC4's README, "Documents" (`text_list`, `image_info`, `similarity_matrix`); OpenFlamingo (Python),
 * open_flamingo/train/data.py, for what training reads of it.
 */
import { isObject, type JsonObject } from "../base/json.js";

/** A document in MMC4's form, or of marks and an image map (`is_gpt`); other keys are kept. */
export type Document =
  | {
      readonly kind: "sentences";
      readonly values: JsonObject;
      readonly sentences: readonly string[];
      readonly images: readonly JsonObject[];
      /** A row an image, a column a sentence. */
      readonly similarity: readonly (readonly number[])[];
    }
  | {
      readonly kind: "marks";
      readonly values: JsonObject;
      readonly images: ReadonlyMap<string, JsonObject>;
    };

/** Why a document cannot be read. */
export type DocumentFault =
  | "no-text-list"
  | "no-image-info"
  | "bad-similarity-matrix"
  | "bad-content"
  | "image-without-text" // in the simple form: no text follows the image
  | "bad-image-map"
  | "too-many-images"
  | "too-many-sentences";

/** Images and sentences of a document. */
const limits = { images: 1000, sentences: 10_000 };

/** What keys an image is named by, the first that is there. */
export const imageNameKeys = ["image_name", "image", "path"] as const;

/** @param values the JSON object of a row */
export function readDocument(values: JsonObject): Document | DocumentFault {
  if (Object.hasOwn(values, "is_gpt")) return readMarks(values);
  if (Object.hasOwn(values, "content")) return readContent(values);
  const { text_list: sentences, image_info: images } = values;
  if (!isListOf(sentences, (each) => typeof each === "string") || sentences.length === 0)
    return "no-text-list";
  if (!isListOf(images, isObject)) return "no-image-info";
  if (images.length > limits.images) return "too-many-images";
  if (sentences.length > limits.sentences) return "too-many-sentences";
  const similarity = Object.hasOwn(values, "similarity_matrix")
    ? values.similarity_matrix
    : matched(images as JsonObject[], sentences.length);
  if (!isMatrix(similarity, images.length, sentences.length)) return "bad-similarity-matrix";
  return {
    kind: "sentences",
    values: { ...values, similarity_matrix: similarity },
    sentences: sentences as string[],
    images: images as JsonObject[],
    similarity,
  };
}

const isListOf = (value: unknown, holds: (item: unknown) => boolean): value is unknown[] =>
  Array.isArray(value) && value.every(holds);

const isMatrix = (value: unknown, rows: number, columns: number): value is number[][] =>
  Array.isArray(value) &&
  value.length === rows &&
  value.every((row) => isListOf(row, (item) => Number.isFinite(item)) && row.length === columns);

/** Where documents say only which sentence an image belongs to: 1 there, and 0 elsewhere. */
function matched(images: readonly JsonObject[], sentences: number): number[][] | undefined {
  const rows = images.map(({ matched_text_index: at }) =>
    Number.isInteger(at) && Number(at) >= 0 && Number(at) < sentences
      ? Array.from({ length: sentences }, (_, i) => (i === at ? 1 : 0))
      : undefined,
  );
  return rows.every((row) => row !== undefined) ? rows : undefined;
}

/** The simple form, `{"content": [{"image": "a.jpg"}, "A cat.", "It sleeps."]}`: an image belongs to the text after it. */
function readContent({ content, ...others }: JsonObject): Document | DocumentFault {
  const isPart = (part: unknown) =>
    typeof part === "string" || (isObject(part) && typeof part.image === "string");
  if (!isListOf(content, isPart) || content.length === 0) return "bad-content";
  const parts = content as (string | JsonObject)[];
  const sentences = parts.filter((part) => typeof part === "string");
  const images: JsonObject[] = [];
  let texts = 0;
  for (const [i, part] of parts.entries()) {
    if (typeof part === "string") texts++;
    else if (typeof parts[i + 1] !== "string") return "image-without-text";
    else {
      const { image, ...rest } = part;
      images.push({ image_name: image, matched_text_index: texts, ...rest });
    }
  }
  return readDocument({ ...others, text_list: sentences, image_info: images });
}

/** Documents with marks for images in one text. */
function readMarks(values: JsonObject): Document | DocumentFault {
  const { image_map: images } = values;
  if (typeof values.example !== "string") return "no-text-list";
  if (!isObject(images) || !Object.values(images).every(isObject)) return "bad-image-map";
  const entries = Object.entries(images) as [string, JsonObject][];
  return entries.length > limits.images
    ? "too-many-images"
    : { kind: "marks", values, images: new Map(entries) };
}

/** What training will make of a document: why it will not use it, or may not. */
export function trainingWarning(
  document: Document,
  /** Bytes of the image file of each image; undefined where there is none. */
  sizes: readonly (number | undefined)[],
  { threshold, leastBytes }: { readonly threshold: number; readonly leastBytes: number },
): "document-without-usable-image" | "document-with-one-usable-image" | undefined {
  if (document.kind === "marks") {
    return document.images.size === 0 ? "document-without-usable-image" : undefined;
  }
  const usable = document.similarity.filter(
    (row, i) => (sizes[i] ?? 0) >= leastBytes && row.some((similarity) => similarity >= threshold),
  ).length;
  if (usable === 0) return "document-without-usable-image";
  return usable === 1 ? "document-with-one-usable-image" : undefined;
}
