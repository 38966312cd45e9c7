/**
 * The compatible API's tokenizer: a function from texts to rows of ids, as in transformers.
 *
 * Reference: transformers 4.33.3, `PreTrainedTokenizerBase.__call__` with `return_tensors="pt"`.
 */
import { OpenFlamingoError } from "../../base/errors.js";
import { boolean, count, oneOf, optional } from "../../base/fields.js";
import { quoted } from "../../base/quoted.js";
import { cleanUp } from "../../text/cleanUp.js";
import type { FlamingoTokenizer } from "../../text/flamingoTokens.js";
import { padRows } from "../../text/padding.js";
import { readOptions } from "../readOptions.js";
import { type Ids, type NumberRow, plainRows, usage } from "./inputs.js";

export interface TokenizeOptions {
  /**
   * True or "longest": shorter rows are filled up to the longest. "max_length": all to `maxLength`. False (default).
   */
  readonly padding?: boolean | "longest" | "max_length" | undefined;
  /** Whether rows are cut to `maxLength`, at their end. Default: false. */
  readonly truncation?: boolean | undefined;
  /** In tokens; for `truncation` and for padding to "max_length". */
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
  decode(ids: NumberRow, options?: DecodeOptions): string;
  batchDecode(rows: Ids, options?: DecodeOptions): readonly string[];
}

export interface DecodeOptions {
  /** Whether special tokens are left out. Default: false. */
  readonly skipSpecialTokens?: boolean | undefined;
  /** Whether punctuation is moved to the word before it. Default: true. */
  readonly cleanUpTokenizationSpaces?: boolean | undefined;
}

export function compatibleTokenizer(tokenizer: FlamingoTokenizer): CompatibleTokenizer {
  const decode: CompatibleTokenizer["decode"] = (ids, options) => {
    const { skipSpecialTokens, cleanUpTokenizationSpaces } = readOptions("decode", decodeReaders, options);
    const [row] = plainRows("ids", [ids]);
    const text = tokenizer.decode(row!, { skipSpecialTokens });
    return cleanUpTokenizationSpaces ? cleanUp(text) : text;
  };

  const tokenize = (texts: string | readonly string[], options?: TokenizeOptions): TokenizedTexts => {
    const { padding, truncation, maxLength } = readOptions("tokenizer", tokenizeReaders, options);
    const list = requireTexts(texts);
    if ((truncation || padding === "max_length") && maxLength === undefined) {
      const what = truncation ? "truncation" : 'padding "max_length"';
      throw new OpenFlamingoError("usage", `tokenizer: ${what} needs maxLength`, {
        hint: "Give the length in tokens.",
      });
    }
    const limit = truncation && maxLength !== undefined ? { maxLength } : {};
    const rows = list.map((text) => tokenizer.encode(text, limit));
    const unequal = rows.some(({ length }) => length !== rows[0]!.length);
    if (unequal && !padding) {
      const lengths = rows.map(({ length }) => length).join(", ");
      throw new OpenFlamingoError("usage", `tokenizer: the texts have ${lengths} tokens`, {
        hint: 'Rows have one length: ask for { padding: true }, with paddingSide = "left" for generation.',
      });
    }
    const padded = padRows(rows, {
      padding: tokenizer.special.padding,
      side: paddingSide,
      ...(padding === "max_length" && { length: maxLength! }),
    });
    return { inputIds: padded.ids, attentionMask: padded.mask };
  };

  let paddingSide: CompatibleTokenizer["paddingSide"] = "right";
  const result = Object.assign(tokenize, {
    padTokenId: tokenizer.special.padding,
    size: tokenizer.size,
    encode: (text: string) => tokenizer.encode(text),
    decode,
    batchDecode: (rows: Ids, options?: DecodeOptions) => rows.map((row) => decode(row, options)),
  });
  return Object.defineProperty(
    result as typeof result & Pick<CompatibleTokenizer, "paddingSide">,
    "paddingSide",
    {
      enumerable: true,
      get: () => paddingSide,
      set(side: unknown) {
        if (side !== "left" && side !== "right") {
          throw usage(
            `tokenizer.paddingSide is ${quoted(side)}; it must be "left" or "right"`,
            "Generation needs left.",
          );
        }
        paddingSide = side;
      },
    },
  );
}

const tokenizeReaders = {
  padding: optional(oneOf<boolean | "longest" | "max_length">(true, false, "longest", "max_length"), false),
  truncation: optional(boolean, false),
  maxLength: optional(count(0)),
};
const decodeReaders = {
  skipSpecialTokens: optional(boolean, false),
  cleanUpTokenizationSpaces: optional(boolean, true),
};

function requireTexts(texts: unknown): readonly string[] {
  const list = Array.isArray(texts) ? texts : [texts];
  if (list.length > 0 && list.every((text) => typeof text === "string")) return list;
  throw usage(
    `tokenizer: the texts are ${quoted(texts)}; they must be a text or a list of texts`,
    "Give strings.",
  );
}
