/**
 * The three tokens that OpenFlamingo adds to a language model's tokenizer.
 *
 * Reference: open_flamingo/src/factory.py, `create_model_and_transforms`.
 */
import { isObject } from "../base/json.js";
import { createTokenizer, type Tokenizer } from "./tokenizer.js";

/** Ends an image's text. */
export const endOfChunkToken = "<|endofchunk|>";
/** Stands for an image. */
export const imageToken = "<image>";

export interface FlamingoTokenizer extends Tokenizer {
  readonly special: {
    readonly endOfChunk: number;
    readonly image: number;
    /** Fills the shorter rows of a batch. */
    readonly padding: number;
  };
}

/**
 * Makes the tokenizer of a Flamingo model: `<|endofchunk|>` and `<image>`, then `<PAD>` unless the language model
 * names a padding token of its own. Tokens that its file has already keep their ids.
 *
 * @param json what `JSON.parse` made of `tokenizer.json`
 * @param beside the parsed files beside it, as far as they exist; they alone say whether there is a padding token
 * @throws OpenFlamingoError `tokenizer-invalid`
 */
export function createFlamingoTokenizer(
  json: unknown,
  beside: { readonly specialTokensMap?: unknown; readonly tokenizerConfig?: unknown } = {},
): FlamingoTokenizer {
  // transformers reads the map last, so that it decides. A padding token that the tokenizer lacks comes first of all.
  const own = paddingToken(beside.specialTokensMap) ?? paddingToken(beside.tokenizerConfig);
  const padding = own ?? "<PAD>";
  const addedTokens =
    own === undefined ? [endOfChunkToken, imageToken, padding] : [own, endOfChunkToken, imageToken];
  const tokenizer = createTokenizer(json, { addedTokens });
  const id = (token: string) => tokenizer.idOf(token)!;
  return {
    ...tokenizer,
    special: { endOfChunk: id(endOfChunkToken), image: id(imageToken), padding: id(padding) },
  };
}

/** `pad_token` of either file: a text, or an object that holds it as `content`. */
function paddingToken(file: unknown): string | undefined {
  const value = property(file, "pad_token");
  const token = typeof value === "string" ? value : property(value, "content");
  return typeof token === "string" && token !== "" ? token : undefined;
}

const property = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);
