/**
 * The special tokens of a training text, and how a text with them becomes ids.
 *
 * While a text is put together its special tokens are marks. By default those are characters that no text may hold, so
 * that an `<image>` which somebody wrote on a page is seven letters; as published they are the tokens' own names, and
 * what is written in a text counts like what the template puts there.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { endOfChunkToken, type FlamingoTokenizer, imageToken } from "../text/flamingoTokens.js";

export interface TemplateOptions {
  /** The token at the end of every text. Default: `<|endoftext|>`. */
  readonly endOfText?: string | undefined;
  /** Whether names of special tokens in captions and sentences become these tokens. Default: false. */
  readonly specialTokensInText?: boolean | undefined;
}

export interface Template {
  readonly image: string;
  readonly endOfChunk: string;
  readonly endOfText: string;
  /** Text from outside, without what would be taken for a mark. */
  clean(text: string): string;
  /**
   * Ids of a text with marks, cut at its end to `maxTokens`; undefined for a text that is too long to be encoded.
   */
  encode(text: string, maxTokens: number): number[] | undefined;
}

/** More characters than the tokenizer takes at once. */
const longestText = 1_000_000;

/** Three of the 66 code points that are no characters and never will be. */
const marks = { image: "\ufdd0", endOfChunk: "\ufdd1", endOfText: "\ufdd2" } as const;
const anyMark = /[\ufdd0-\ufdd2]/g;

/** @throws OpenFlamingoError `usage` when the tokenizer has no token of the name `endOfText` */
export function createTemplate(
  tokenizer: FlamingoTokenizer,
  { endOfText = "<|endoftext|>", specialTokensInText = false }: TemplateOptions = {},
): Template {
  const end = tokenizer.idOf(endOfText);
  if (end === undefined) {
    throw new OpenFlamingoError(
      "usage",
      `the tokenizer has no token ${quoted(endOfText)} to end a text with`,
      {
        hint: "Give the name of the language model's own end token as endOfText.",
      },
    );
  }
  const short = (text: string) => text.length <= longestText;
  if (specialTokensInText) {
    return {
      ...{ image: imageToken, endOfChunk: endOfChunkToken, endOfText },
      clean: (text) => text,
      encode: (text, maxLength) => (short(text) ? tokenizer.encode(text, { maxLength }) : undefined),
    };
  }
  const { image, endOfChunk } = tokenizer.special;
  const idOf: Readonly<Record<string, number>> = {
    [marks.image]: image,
    [marks.endOfChunk]: endOfChunk,
    [marks.endOfText]: end,
  };
  return {
    ...marks,
    clean: (text) => text.replace(anyMark, ""),
    encode(text, maxTokens) {
      if (!short(text)) return undefined;
      const ids = text
        .split(/([\ufdd0-\ufdd2])/)
        .flatMap(
          (part) => idOf[part] ?? tokenizer.encode(part, { specialTokens: false, startAndEnd: false }),
        );
      const { start, end: after } = tokenizer;
      return [...[...start, ...ids].slice(0, maxTokens - after.length), ...after];
    },
  };
}
