/** Images and texts as CLIP sees them: one vector each, in a space that the two share. */
import { OpenFlamingoError } from "../base/errors.js";
import type { ImageSource } from "../images/index.js";
import type { ClipTextConfig } from "../models/clipText.js";
import type { Features } from "../runner/features.js";
import { repairedForClip } from "../text/repair.js";
import { createTokenizer } from "../text/tokenizer.js";

/** Images, or texts. */
export type EmbedInput =
  | { readonly images: readonly ImageSource[]; readonly texts?: undefined }
  | { readonly texts: readonly string[]; readonly images?: undefined };

export interface EmbedOptions {
  /** Stops the work; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export type Embed = (input: EmbedInput, options?: EmbedOptions) => Promise<readonly Float32Array[]>;

/** A text as ids for CLIP's text tower. */
export type ClipTokenizer = (text: string) => readonly number[];

/** @param clipTokenizer asked for when the first texts come */
export function createEmbed(
  features: Features,
  readImage: (source: ImageSource, signal: AbortSignal | undefined) => Promise<Float32Array>,
  clipTokenizer: () => Promise<ClipTokenizer>,
): Embed {
  let tokenizer: ClipTokenizer | undefined;
  return async (input, { signal } = {}) => {
    signal?.throwIfAborted();
    const { images, texts } = requireInput(input);
    const found: Float32Array[] = [];
    for (const source of images ?? []) {
      signal?.throwIfAborted();
      found.push(await features.ofImage(await readImage(source, signal), { signal }));
    }
    if (texts) tokenizer ??= await clipTokenizer();
    for (const text of texts ?? []) found.push(await features.ofText(tokenizer!(text), { signal }));
    return found;
  };
}

/** @throws OpenFlamingoError `usage` unless there are images or texts, and not both */
function requireInput(input: unknown): EmbedInput {
  const { images, texts } = Object(input) as { images?: unknown; texts?: unknown };
  const given = images ?? texts;
  const isText = (text: unknown) => typeof text === "string";
  const fits = Array.isArray(given) && given.length > 0 && (texts === undefined || given.every(isText));
  if (fits && (images === undefined) !== (texts === undefined)) return input as EmbedInput;
  throw new OpenFlamingoError(
    "usage",
    "embed: it takes a list of `images` or a list of `texts`, with at least one",
    { hint: 'embed({ images: ["cat.jpg"] }) or embed({ texts: ["a cat"] })' },
  );
}

/**
 * CLIP's tokenizer: start token, text, end token, cut to the tower's positions with the end token kept. What a user
 * types is text: a typed `<|endoftext|>` does not end it.
 *
 * Reference: open_clip 2.20.0, src/open_clip/tokenizer.py, `tokenize`, with its repair of texts (`repairedForClip`).
 *
 * @param file its path, for errors
 * @param json what `JSON.parse` made of it; undefined where there is no such file
 * @throws OpenFlamingoError `model-missing`; `tokenizer-invalid`, also for one that is not this tower's
 */
export function createClipTokenizer(
  file: string,
  json: unknown,
  { vocabulary, contextLength }: ClipTextConfig,
): ClipTokenizer {
  if (json === undefined) {
    throw new OpenFlamingoError("model-missing", `${file}: there is no such file, and texts need it`, {
      hint: "Put CLIP's tokenizer.json there, as Hugging Face has it: for ViT-L/14 that of openai/clip-vit-large-patch14.",
    });
  }
  const tokenizer = createTokenizer(json);
  const notThisTower = (what: string) =>
    new OpenFlamingoError("tokenizer-invalid", `${file}: ${what}`, {
      hint: "Is it the tokenizer of this CLIP? The language model has another one.",
    });
  if (tokenizer.size > vocabulary) {
    throw notThisTower(`has ${tokenizer.size} tokens, and CLIP's text tower knows ${vocabulary}`);
  }
  // The tower is read where the largest id stands.
  const end = tokenizer.encode("").at(-1);
  if (end !== tokenizer.size - 1) {
    throw notThisTower(
      `a text should end with the largest id, ${tokenizer.size - 1}, and ends with ${end ?? "none"}`,
    );
  }
  return (text) =>
    tokenizer.encode(repairedForClip(text), { specialTokens: false, maxLength: contextLength });
}
