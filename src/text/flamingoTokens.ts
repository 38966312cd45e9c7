/**
 * The three tokens that OpenFlamingo adds to a language model's tokenizer.
 *
 * Reference: open_flamingo/src/factory.py, `create_model_and_transforms`.
 */
import { createTokenizer, type Tokenizer } from "./tokenizer.js";
import { readTokenizerSettings, requireSettings, type SettingsFiles } from "./tokenizerSettings.js";

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
 * @param beside the parsed files beside it, as far as they exist; they alone say whether the language model has a
 *   padding token
 * @throws OpenFlamingoError `tokenizer-invalid`
 */
export function createFlamingoTokenizer(json: unknown, beside: SettingsFiles = {}): FlamingoTokenizer {
  const settings = readTokenizerSettings(beside);
  const own = settings.padding;
  const padding = own ?? "<PAD>";
  // A padding token that the tokenizer lacks comes first of all.
  const addedTokens =
    own === undefined ? [endOfChunkToken, imageToken, padding] : [own, endOfChunkToken, imageToken];
  const tokenizer = createTokenizer(json, { addedTokens });
  requireSettings(settings, tokenizer, addedTokens);
  const id = (token: string) => tokenizer.idOf(token)!;
  return {
    ...tokenizer,
    special: { endOfChunk: id(endOfChunkToken), image: id(imageToken), padding: id(padding) },
  };
}
