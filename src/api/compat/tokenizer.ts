/**
 * The compatible API's tokenizer: a function from texts to rows of ids, as in transformers.
 *
 * Reference: transformers 4.33.3, `PreTrainedTokenizerBase.__call__` with `return_tensors="pt"`.
 */
import { OpenFlamingoError } from "../../base/errors.js";
import { cleanUp } from "../../text/cleanUp.js";
import type { FlamingoTokenizer } from "../../text/flamingoTokens.js";
import { padRows } from "../../text/padding.js";

export interface TokenizeOptions {
  /**
   * True or "longest": shorter rows are filled up to the longest. "max_length": all to `maxLength`. False (default).
   */
  readonly padding?: boolean | "longest" | "max_length" | undefined;
  /** Whether rows are cut to `maxLength`, at their end; false. */
  readonly truncation?: boolean | undefined;
  readonly maxLength?: number | undefined;
}

export interface TokenizedTexts {
  /** Rows of one length. */
  readonly inputIds: readonly (readonly number[])[];
  /** 1 for an id of the text, 0 for padding. */
  readonly attentionMask: readonly (readonly number[])[];
}

/**
 * Tokenizes texts; special tokens in them become their ids.
 *
 * @throws OpenFlamingoError `usage` for texts of unequal length without padding
 * @example
 * tokenizer.paddingSide = "left"; // for generation
 * const { inputIds, attentionMask } = tokenizer(["<image>Output:", "<image>A longer one:"], { padding: true });
 */
export interface CompatibleTokenizer {
  (texts: string | readonly string[], options?: TokenizeOptions): TokenizedTexts;
  /** Where padding goes: "right" unless set. */
  paddingSide: "left" | "right";
  readonly padTokenId: number;
  /** Tokens in all; ids are below it. */
  readonly size: number;
  encode(text: string): readonly number[];
  /** With punctuation moved to the word before it, as transformers does. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  batchDecode(rows: readonly (readonly number[])[], options?: DecodeOptions): readonly string[];
}

export interface DecodeOptions {
  /** Whether special tokens are left out; false. */
  readonly skipSpecialTokens?: boolean | undefined;
  /** Whether punctuation is moved to the word before it; true. */
  readonly cleanUpTokenizationSpaces?: boolean | undefined;
}

export function compatibleTokenizer(tokenizer: FlamingoTokenizer): CompatibleTokenizer {
  const decode: CompatibleTokenizer["decode"] = (ids, options = {}) => {
    const { skipSpecialTokens = false, cleanUpTokenizationSpaces = true } = options;
    const text = tokenizer.decode(ids, { skipSpecialTokens });
    return cleanUpTokenizationSpaces ? cleanUp(text) : text;
  };

  const tokenize = (texts: string | readonly string[], options: TokenizeOptions = {}): TokenizedTexts => {
    const { padding = false, truncation = false, maxLength } = options;
    if ((truncation || padding === "max_length") && maxLength === undefined) {
      const what = truncation ? "truncation" : 'padding "max_length"';
      throw new OpenFlamingoError("usage", `tokenizer: ${what} needs maxLength`, {
        hint: "Give the length in tokens.",
      });
    }
    const limit = truncation && maxLength !== undefined ? { maxLength } : {};
    const rows = [texts].flat().map((text) => tokenizer.encode(text, limit));
    const unequal = rows.some(({ length }) => length !== rows[0]!.length);
    if (unequal && !padding) {
      const lengths = rows.map(({ length }) => length).join(", ");
      throw new OpenFlamingoError("usage", `tokenizer: the texts have ${lengths} tokens`, {
        hint: 'Rows have one length: ask for { padding: true }, with paddingSide = "left" for generation.',
      });
    }
    const padded = padRows(rows, {
      padding: tokenizer.special.padding,
      side: result.paddingSide,
      ...(padding === "max_length" && { length: maxLength! }),
    });
    return { inputIds: padded.ids, attentionMask: padded.mask };
  };

  const result: CompatibleTokenizer = Object.assign(tokenize, {
    paddingSide: "right" as CompatibleTokenizer["paddingSide"],
    padTokenId: tokenizer.special.padding,
    size: tokenizer.size,
    encode: (text: string) => tokenizer.encode(text),
    decode,
    batchDecode: (rows: readonly (readonly number[])[], options?: DecodeOptions) =>
      rows.map((row) => decode(row, options)),
  });
  return result;
}
