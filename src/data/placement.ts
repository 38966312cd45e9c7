/**
 * Where the images of a document belong: its text with a mark for each of them, and which image each mark is.
 *
 * Reference: open_flamingo/train/data.py, `preprocess_interleaved` and `preprocess_gpt_interleaved`.
 */
import { assignLargest } from "./assignment.js";
import type { MarkedText, Page } from "./document.js";
import type { SkipCause } from "./skips.js";
import type { Template } from "./template.js";

export interface PlacementOptions {
  /** An image whose similarity to its sentence is below this is left out. Default: 0.24. */
  readonly similarityThreshold?: number | undefined;
  /** The most images of a document. Default: 6. */
  readonly maxImages?: number | undefined;
  /**
   * Whether images stay in the order in which the document lists them, as published: then the k-th image need not belong
   * to the k-th `<image>`. Default: false; each `<image>` has its own.
   */
  readonly imagesInIndexOrder?: boolean | undefined;
  /**
   * Whether a text with more marks than `maxImages` ends before the last mark that is allowed, as published, so that one
   * image fewer is left. Default: false; it ends before the first one that is not.
   */
  readonly cutBeforeLastImage?: boolean | undefined;
}

export interface Placement {
  /** With the template's marks, both end tokens included. */
  readonly text: string;
  /** The images by their numbers in the document, in the order of their `<image>`s unless `imagesInIndexOrder`. */
  readonly images: readonly number[];
}

/** Places the images of a web page before the sentences that they are most similar to, each before another one. */
export function placeOnPage(
  { sentences, similarities }: Page,
  template: Template,
  { similarityThreshold = 0.24, maxImages = 6, imagesInIndexOrder = false }: PlacementOptions = {},
): Placement | SkipCause {
  const pairs = assignLargest(similarities).filter(([i, s]) => similarities[i]![s]! >= similarityThreshold);
  // A matrix may have more columns than there are sentences.
  if (pairs.some(([, sentence]) => sentence >= sentences.length)) return "document-invalid";
  if (pairs.length === 0) return "no-images";
  if (!imagesInIndexOrder) pairs.sort(([, a], [, b]) => a - b);
  const kept = pairs.slice(0, maxImages);
  const withImage = new Set(kept.map(([, sentence]) => sentence));
  const { image, endOfChunk, clean } = template;
  const marked = sentences.map((sentence, i) =>
    withImage.has(i) ? `${endOfChunk}${image}${clean(sentence)}` : clean(sentence),
  );
  return { text: finished(marked.join(" "), template), images: kept.map(([i]) => i) };
}

const mark = /_!_IMAGE(\p{Nd}+)_!_( ?)/gu;

/** Puts the images of a text in the place of its marks. */
export function placeAtMarks(
  document: MarkedText,
  template: Template,
  options: PlacementOptions = {},
): Placement {
  const { imagesInIndexOrder = false, cutBeforeLastImage = false, maxImages = 6 } = options;
  const { image, endOfChunk, clean } = template;
  const there = document.images.length;
  const images: number[] = [];
  let text = clean(document.text).replace(mark, (_, digits: string, space: string) => {
    const number = Number(digits);
    const isThere = number >= 1 && number <= there;
    if (!imagesInIndexOrder && !isThere) return "";
    images.push(number - 1);
    return `${endOfChunk}${image}${space}`;
  });
  text = cutAfter(text, cutBeforeLastImage ? maxImages - 1 : maxImages, maxImages, template);
  const inOrder = Array.from({ length: there }, (_, i) => i);
  return {
    text: finished(text, template),
    images: (imagesInIndexOrder ? inOrder : images).slice(0, maxImages),
  };
}

/** A text of more than `allowed` images, cut behind the text of so many. */
function cutAfter(text: string, kept: number, allowed: number, { image, endOfChunk }: Template): string {
  const parts = text.split(image);
  if (parts.length - 1 <= allowed) return text;
  const cut = parts.slice(0, kept + 1).join(image);
  // As published, the end of chunk that stood before the image stays.
  return kept === allowed && cut.endsWith(endOfChunk) ? cut.slice(0, -endOfChunk.length).trimEnd() : cut;
}

/** The rules of white space and of the first end of chunk, in this order, and the end. */
function finished(text: string, { image, endOfChunk, endOfText }: Template): string {
  const whole = text
    .replace(endOfChunk, "")
    .replaceAll(` ${endOfChunk}`, endOfChunk)
    .replaceAll(`${image} `, image)
    .replaceAll(` ${image}`, image);
  return `${whole}${endOfChunk}${endOfText}`;
}
