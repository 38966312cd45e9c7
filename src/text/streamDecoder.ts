/** Decodes ids one after the other, for streaming: shows a character as soon as it is whole, never half of one. */
import type { DecodeOptions, Tokenizer } from "./tokenizer.js";
import { createWordEnds } from "./wordEnds.js";

export interface StreamDecoder {
  /** The text that is certain with this id; often "". All pieces together, `end`'s too, are `decode` of all ids. */
  push(id: number): string;
  /** What was held back: U+FFFD for an unfinished character. The decoder is used up. */
  end(): string;
}

/**
 * Makes a decoder for one answer.
 *
 * @throws OpenFlamingoError `usage` from `push`: an id that the tokenizer does not have
 */
export function createStreamDecoder(
  tokenizer: Tokenizer,
  { skipSpecialTokens = false }: DecodeOptions = {},
): StreamDecoder {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  const wordEnds = tokenizer.endOfWordSuffix === "" ? undefined : createWordEnds();
  return {
    push(id) {
      if (skipSpecialTokens && tokenizer.isSpecial(id)) return "";
      const text = utf8.decode(tokenizer.bytesOf(id), { stream: true });
      return wordEnds ? wordEnds.push(text) : text;
    },
    end() {
      const text = utf8.decode();
      return wordEnds ? wordEnds.push(text) + wordEnds.end() : text;
    },
  };
}
