/**
 * Samples of an image and its caption, as LAION's shards have them: `<image>caption<|endofchunk|><|endoftext|>`.
 *
 * Reference: open_flamingo/train/data.py, `preprocess_laion_text` and `get_laion_dataset`.
 */
import type { Template } from "./template.js";

/** Whether a character counts as white space in Python: as in JavaScript, but for the byte order mark, and five more. */
const isSpace = (c: string) =>
  c !== "\ufeff" && (/\s/.test(c) || (c >= "\u001c" && c <= "\u001f") || c === "\u0085");

/** Python's `str.strip`. */
export function stripped(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** The most tokens of a caption, its special ones included, unless asked otherwise. */
export const captionTokens = 32;

/**
 * Ids of a caption. One that is too long is cut at its end, and loses both end tokens.
 *
 * @returns undefined for a caption that is too long to be encoded
 */
export function captionIds(
  caption: string,
  template: Template,
  { maxTokens = captionTokens }: { readonly maxTokens?: number | undefined } = {},
): number[] | undefined {
  const { image, endOfChunk, endOfText, clean, encode } = template;
  return encode(`${image}${clean(stripped(caption))}${endOfChunk}${endOfText}`, maxTokens);
}

/** Extensions of a caption's image, the first one that is there wins. */
const imageFields = ["jpg", "png", "jpeg"] as const;

/** The two files that a sample needs; undefined where one is missing. */
export function captionFiles<T>(
  fields: ReadonlyMap<string, T>,
): { readonly image: T; readonly text: T } | undefined {
  const text = fields.get("txt");
  const field = imageFields.find((name) => fields.has(name));
  return text === undefined || field === undefined ? undefined : { text, image: fields.get(field)! };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a file; undefined where it is not UTF-8. */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
