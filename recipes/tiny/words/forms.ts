/** A document as text for the language model alone, as a row for `openflamingo data pack`, as a prompt. */
import { endOfChunkToken, imageToken } from "../../../src/text/flamingoTokens.js";
import type { Thing } from "../world/scene.js";
import type { Chunk, Document } from "./document.js";

export const endOfText = "<|endoftext|>";

export type Part<S> = { readonly text: string } | { readonly scene: S } | { readonly thing: Thing };

export type Image<S> = Exclude<Part<S>, { readonly text: string }>;

/** What a chunk says without its `<|endofchunk|>`, behind the image if it has one. */
const textOf = ({ shown, words, prompt, answer }: Chunk<unknown>): string =>
  `${shown.kind === "words" ? words : ""}${prompt}${answer}`;

function imageOf<S>({ shown }: Chunk<S>): Image<S> | undefined {
  if (shown.kind === "scene") return { scene: shown.scene };
  return shown.kind === "thing" ? { thing: shown.thing } : undefined;
}

/** The images of a document, in the order of their `<image>`s. */
export const imagesOf = <S>({ chunks }: Document<S>): readonly Image<S>[] =>
  chunks.map(imageOf).filter((image) => image !== undefined);

/** Images and text in their order; each text but the words in the place of an image ends in `<|endofchunk|>`. */
export const partsOf = <S>({ chunks }: Document<S>): readonly Part<S>[] =>
  chunks.flatMap((chunk): Part<S>[] => {
    const image = imageOf(chunk);
    const text = { text: textOf(chunk) + endOfChunkToken };
    return image ? [image, text] : [text];
  });

/** For the language model alone: words stand in the place of images. */
export const asText = ({ chunks }: Document<unknown>): string =>
  chunks.map(({ words, prompt, answer }) => words + prompt + answer + endOfChunkToken).join("") + endOfText;

/** With `<image>`: what training over images makes of `packedRow`. */
export const withImageTokens = ({ chunks }: Document<unknown>): string =>
  chunks
    .map((chunk) => (chunk.shown.kind === "words" ? "" : imageToken) + textOf(chunk) + endOfChunkToken)
    .join("") + endOfText;

const mark = (number: number) => `_!_IMAGE${number}_!_`;

/** What `data pack --documents` takes as a line: the form with marks, which has no least size of images. */
export interface PackedRow {
  readonly is_gpt: true;
  readonly example: string;
  readonly image_map: Readonly<Record<string, { readonly image_name: string }>>;
}

/**
 * A document for training over images. Training must be given `specialTokensInText` (between two texts the
 * `<|endofchunk|>` is written out), `flip: false` (texts say left and right), `mmc4MaxNumImages` of at least the
 * images that a document has (12), and `maxTokensMmc4` of at least its tokens.
 *
 * Training puts `<|endofchunk|><image>` in the place of a mark, takes the first `<|endofchunk|>` of all away, and one
 * space behind `<image>`.
 *
 * @param nameOf the file name of the document's image 0, 1, 2, …
 */
export function asSegments<S>(document: Document<S>, nameOf: (image: number) => string): PackedRow {
  const { chunks } = document;
  const names: [string, { image_name: string }][] = [];
  const pieces = chunks.map((chunk) => {
    const text = textOf(chunk);
    if (chunk.shown.kind === "words") return endOfChunkToken + text;
    names.push([mark(names.length + 1), { image_name: nameOf(names.length) }]);
    return `${mark(names.length)}${text.startsWith(" ") ? " " : ""}${text}`;
  });
  return { is_gpt: true, example: pieces.join(""), image_map: Object.fromEntries(names) };
}

/** A document as a question: everything but the last answer. */
export interface Query<S> {
  /** With `<image>`, for `generate`. */
  readonly prompt: string;
  readonly images: readonly Image<S>[];
  readonly answer: string;
  /** Of bindings: the answers that are possible. */
  readonly choices?: readonly string[];
}

export function queryOf<S>(document: Document<S>): Query<S> {
  const { chunks, choices } = document;
  const { answer } = chunks.at(-1)!;
  const whole = withImageTokens(document);
  const prompt = whole.slice(0, -(answer + endOfChunkToken + endOfText).length);
  return { prompt, images: imagesOf(document), answer, ...(choices && { choices }) };
}
