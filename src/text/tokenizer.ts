/**
 * Text to token ids and back, as the reference implementation's tokenizers do it, from a `tokenizer.json`.
 *
 * Added tokens are cut out of the raw text; each piece between them is normalized; added tokens that want normalized
 * text are cut out; the rest is split into words, and every word encoded by itself (`bpe.ts`).
 * Source: what transformers 4.33.3 with tokenizers 0.13.3 does; the goldens are made with them.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { createWordEncoder } from "./bpe.js";
import { byteAlphabet } from "./byteAlphabet.js";
import { normalize } from "./normalize.js";
import { type AddedToken, parseTokenizerJson } from "./tokenizerJson.js";
import { createWordEnds } from "./wordEnds.js";

/** Two different questions: what the text itself may say, and what is put around it. */
export interface EncodeOptions {
  /**
   * Whether special tokens *written in the text* become their ids. `true` for prompts made by a template (the
   * default); `false` for text of a user, where a typed `<image>` is seven letters. Added tokens that are not special
   * (runs of spaces) are found either way.
   */
  readonly specialTokens?: boolean;
  /** Whether the start and end tokens that the model wants *around* every text are added (default `true`). */
  readonly startAndEnd?: boolean;
  /** The most ids to return: the text is cut at its end, start and end tokens stay. Default: no limit. */
  readonly maxLength?: number;
}

export interface DecodeOptions {
  /** Whether special tokens are left out (default `false`). */
  readonly skipSpecialTokens?: boolean;
}

export interface Tokenizer {
  /** The number of tokens; ids are 0 to `size` - 1. */
  readonly size: number;
  /** What the model writes at a word's end; decoding makes it a space and strips the ends. "" but for CLIP. */
  readonly endOfWordSuffix: "" | "</w>";
  /** The ids that the model wants before and behind every text; of the models here only CLIP has any. */
  readonly start: readonly number[];
  readonly end: readonly number[];
  /**
   * Ids of a text. A lone surrogate counts as U+FFFD.
   *
   * @throws OpenFlamingoError `usage`: a text of more than two million UTF-16 units, or an impossible `maxLength`
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Text of ids; broken UTF-8 shows as U+FFFD. Punctuation is left as it is (`cleanUp` moves it as the reference
   * implementation does).
   *
   * @throws OpenFlamingoError `usage`: an id that the tokenizer does not have
   */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** The id of a token in the vocabulary's own spelling (a space is `Ġ`), or of an added token. */
  idOf(token: string): number | undefined;
  /** Whether this id is a token that steers the model and is no text. */
  isSpecial(id: number): boolean;
  /**
   * The UTF-8 bytes that a token stands for, often a part of a character.
   *
   * @throws OpenFlamingoError `usage`: an id that the tokenizer does not have
   */
  bytesOf(id: number): Uint8Array;
}

/** A word of 4.2 million letters exhausts the stack of V8's regular expressions. */
const longestText = 2_000_000;

/**
 * Makes a tokenizer.
 *
 * @param json what `JSON.parse` made of `tokenizer.json`
 * @param options.addedTokens special tokens to append, each with the next free id unless the file has it
 * @throws OpenFlamingoError `tokenizer-invalid`
 *
 * @example
 * const tokenizer = createTokenizer(JSON.parse(text), { addedTokens: ["<|endofchunk|>", "<image>"] });
 * tokenizer.encode("<image>Output:"); // [50278, 11021, 27] for GPT-NeoX-20B
 */
export function createTokenizer(
  json: unknown,
  { addedTokens = [] }: { readonly addedTokens?: readonly string[] } = {},
): Tokenizer {
  const description = parseTokenizerJson(json, addedTokens);
  const { tokens, ids, added, normalizers, splits, start, end, endOfWordSuffix } = description;
  const encodeWord = createWordEncoder(description);
  const bytesOf = tokenBytes(tokens);
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));

  const finders = (wanted: readonly AddedToken[]) => ({
    raw: tokenFinder(wanted.filter((token) => !token.normalized)),
    normalized: tokenFinder(
      wanted
        .filter((token) => token.normalized)
        .map(({ id, content }) => ({ id, content: normalize(content, normalizers) })),
    ),
  });
  const all = finders(added);
  const withoutSpecial = finders(added.filter((token) => !token.special));

  return {
    size: tokens.length,
    endOfWordSuffix,
    start,
    end,

    encode(text, { specialTokens = true, startAndEnd = true, maxLength = Number.POSITIVE_INFINITY } = {}) {
      if (text.length > longestText) {
        throw new OpenFlamingoError(
          "usage",
          `encode: the text has ${text.length} characters, at most ${longestText} are encoded at once`,
          { hint: "Cut the text at a line's end and encode the parts." },
        );
      }
      const [before, after] = startAndEnd ? [start, end] : [[], []];
      const around = before.length + after.length;
      if (!(maxLength >= around)) {
        throw new OpenFlamingoError(
          "usage",
          `encode: maxLength is ${maxLength}, the start and end tokens alone are ${around}`,
          { hint: "Give a larger maxLength, or none." },
        );
      }
      const { raw, normalized } = specialTokens ? all : withoutSpecial;
      const result = [...before];
      for (const piece of cut(text, raw)) {
        if (typeof piece === "number") {
          result.push(piece);
          continue;
        }
        for (const part of cut(normalize(piece, normalizers), normalized)) {
          if (typeof part === "number") result.push(part);
          else for (const word of words(part, splits)) for (const id of encodeWord(word)) result.push(id);
        }
      }
      return [...result.slice(0, maxLength - after.length), ...after];
    },

    decode(list, { skipSpecialTokens = false } = {}) {
      const parts = list.filter((id) => !(skipSpecialTokens && special.has(id))).map(bytesOf);
      const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let length = 0;
      for (const part of parts) {
        bytes.set(part, length);
        length += part.length;
      }
      const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      if (endOfWordSuffix === "") return text;
      const wordEnds = createWordEnds();
      return wordEnds.push(text) + wordEnds.end();
    },

    idOf: (token) => ids.get(token),
    isSpecial: (id) => special.has(id),
    bytesOf,
  };
}

interface TokenFinder {
  readonly expression: RegExp;
  readonly ids: ReadonlyMap<string, number>;
}

/** Finds added tokens: the leftmost first, and the longest of those that begin there. */
function tokenFinder(wanted: readonly Pick<AddedToken, "id" | "content">[]): TokenFinder | undefined {
  if (wanted.length === 0) return undefined;
  const longestFirst = wanted.map(({ content }) => content).sort((a, b) => b.length - a.length);
  const literals = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return {
    expression: new RegExp(literals.join("|"), "gu"),
    ids: new Map(wanted.map(({ id, content }) => [content, id])),
  };
}

/** The ids of the added tokens in a text, and the pieces between them. */
function* cut(text: string, finder: TokenFinder | undefined): Generator<number | string> {
  let from = 0;
  for (const { 0: content, index } of finder ? text.matchAll(finder.expression) : []) {
    if (index > from) yield text.slice(from, index);
    yield finder!.ids.get(content)!;
    from = index + content.length;
  }
  if (from < text.length) yield text.slice(from);
}

/** The pieces that are encoded each by itself. */
const words = (text: string, splits: readonly RegExp[]): readonly string[] =>
  splits.reduce((pieces, split) => pieces.flatMap((piece) => piece.match(split) ?? []), [text]);

/** Bytes of a token: those its letters stand for, or its UTF-8 if a letter is none of the alphabet's. */
function tokenBytes(tokens: readonly string[]): (id: number) => Uint8Array {
  const byteOf = new Map(byteAlphabet().map((letter, byte) => [letter, byte]));
  const bytes = new Array<Uint8Array | undefined>(tokens.length);
  return (id) => {
    const token = tokens[id];
    if (token === undefined) {
      const known = `the tokenizer has 0 to ${tokens.length - 1}`;
      throw new OpenFlamingoError("usage", `decode: ${id} is no id; ${known}`, {
        hint: "Decode with the tokenizer that belongs to the model.",
      });
    }
    bytes[id] ??= Array.from(token).every((letter) => byteOf.has(letter))
      ? Uint8Array.from(token, (letter) => byteOf.get(letter)!)
      : new TextEncoder().encode(token);
    return bytes[id];
  };
}
