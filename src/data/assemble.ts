/**
 * From the files of a sample to what a step trains on: ids, labels, images; or the reason why it is left out.
 *
 * Reference: open_flamingo/train/data.py. Where randomness comes in, it is an argument.
 */
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import { captionFiles, captionIds, readText } from "./caption.js";
import { type Document, readDocument } from "./document.js";
import { labelsOf, type SampleKind } from "./labels.js";
import { type PlacementOptions, placeAtMarks, placeOnPage } from "./placement.js";
import type { SkipCause } from "./skips.js";
import type { Template } from "./template.js";

/** What is trained on. */
export interface AssembledSample {
  /** int32 (t), without padding. */
  readonly ids: Int32Array;
  /** int32 (t): the id where it is learnt, else −100. */
  readonly labels: Int32Array;
  /** float32 (3, S, S) each, normalised and not flipped: the k-th belongs to the k-th `<image>`. */
  readonly images: readonly Float32Array[];
  /** Whether each image is to be flipped, left to right. */
  readonly flipped: readonly boolean[];
}

export interface AssembleOptions extends PlacementOptions {
  /** Tokens of a sample, its special ones included; the rest is cut off. Default: 32 of a caption, 256 of a document. */
  readonly maxTokens?: number | undefined;
  /** A document needs so many `<image>`s, after its text was cut. Default: 1. */
  readonly minImages?: number | undefined;
  /** A page's images of fewer bytes are left out. Default: 11,000. */
  readonly minImageBytes?: number | undefined;
  /** Whether one coin flips all images of a document, as published. Default: false; each has its own. */
  readonly flipWholeBatch?: boolean | undefined;
}

export interface Assembler extends AssembleOptions {
  readonly tokenizer: FlamingoTokenizer;
  readonly template: Template;
  /**
   * Decodes an image file as training takes it.
   *
   * @param wanted whether its pixels are needed; otherwise it is decoded only to see that it can be
   * @returns float32 (3, S, S); undefined for a file that cannot be decoded
   */
  readonly decode: (file: Uint8Array, wanted: boolean) => Promise<Float32Array | undefined>;
}

/** The random choices of one sample. */
export interface Coins {
  /** Whether image `i` is flipped. */
  flip(image: number): boolean;
  /** Whether a document with one image is dropped. Asked for those alone. */
  drop(): boolean;
}

/** A sample of an image and a caption; `fields` are its files by extension. */
export async function assembleCaption(
  fields: ReadonlyMap<string, Uint8Array>,
  { tokenizer, template, decode, maxTokens }: Assembler,
  coins: Pick<Coins, "flip">,
): Promise<AssembledSample | SkipCause> {
  const files = captionFiles(fields);
  if (!files) return "incomplete";
  const caption = readText(files.text);
  const ids = caption === undefined ? undefined : captionIds(caption, template, { maxTokens });
  if (ids === undefined) return "text-invalid";
  const pixels = await decode(files.image, true);
  if (!pixels) return "image-unreadable";
  const labels = labelsOf(ids, "captions", tokenizer.special);
  return { ids: Int32Array.from(ids), labels, images: [pixels], flipped: [coins.flip(0)] };
}

/** The most tokens of a document unless asked otherwise. */
export const documentTokens = 256;

/** A document; `fields` are its files by extension. */
export async function assembleDocument(
  fields: ReadonlyMap<string, Uint8Array>,
  assembler: Assembler,
  coins: Coins,
): Promise<AssembledSample | SkipCause> {
  const { tokenizer, template, maxTokens = documentTokens, minImages = 1 } = assembler;
  const file = fields.get("json");
  if (!file) return "incomplete";
  const document = readDocument(file, assembler);
  if (typeof document === "string") return document;
  const placed =
    document.kind === "page"
      ? placeOnPage(document, template, assembler)
      : placeAtMarks(document, template, assembler);
  if (typeof placed === "string") return placed;
  const ids = template.encode(placed.text, maxTokens);
  if (ids === undefined) return "document-invalid";
  const { image } = tokenizer.special;
  const imageTokens = ids.filter((id) => id === image).length;
  // Where each image has its `<image>`, one whose `<image>` was cut off is of no use.
  const used = assembler.imagesInIndexOrder ? placed.images : placed.images.slice(0, imageTokens);

  const decoded = await decodeAll(document, new Set(used), assembler);
  if (!decoded) return "image-unreadable";
  const flipped = used.map((_, i) => (assembler.flipWholeBatch && i > 0 ? undefined : coins.flip(i)));
  if (imageTokens < minImages) return "too-few-images";
  if (document.kind === "page" && imageTokens === 1) {
    if (coins.drop()) return "one-image";
    if (ids.length === maxTokens && ids.at(-1) === image) return "image-at-end";
  }
  return {
    ids: Int32Array.from(ids),
    labels: labelsOf(ids, "documents", tokenizer.special),
    images: used.map((i) => decoded[i]!),
    flipped: flipped.map((each) => each ?? flipped[0]!),
  };
}

/** All images of a document, also those that are not used: one that cannot be decoded makes it unusable. */
async function decodeAll(
  { images }: Document,
  wanted: ReadonlySet<number>,
  { decode }: Assembler,
): Promise<(Float32Array | undefined)[] | undefined> {
  const decoded: (Float32Array | undefined)[] = [];
  for (const [i, file] of images.entries()) {
    const pixels = await decode(file, wanted.has(i));
    if (!pixels) return undefined;
    decoded.push(wanted.has(i) ? pixels : undefined);
  }
  return decoded;
}

/** How a sample of a kind is assembled. */
export const assemblerOf = (kind: SampleKind) => (kind === "captions" ? assembleCaption : assembleDocument);
