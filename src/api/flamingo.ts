/**
 * The first door: a loaded model, as a TypeScript programmer expects it.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { Engine } from "../engine/engine.js";
import type { EncodedPicture } from "../engine/pool.js";
import { type GenerationLimits, greedy } from "../generate/greedy.js";
import { createAnswerText, type FinishReason, type Piece } from "../generate/stream.js";
import { type PictureSource, type Preprocessing, preprocess, type Raster } from "../images/index.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import {
  askPrompt,
  captionPrompt,
  idsOf,
  type PreparedPrompt,
  type PromptInput,
  prepare,
  type QuestionShot,
  type Shot,
} from "./prompt.js";

export interface GenerateOptions {
  /** The most tokens to generate; 20 unless the model says otherwise. */
  readonly maxNewTokens?: number | undefined;
  /** Before so many tokens the answer may not end; 0. */
  readonly minNewTokens?: number | undefined;
  /** Strings at which the answer ends, besides `<|endofchunk|>`; they are cut off. */
  readonly stop?: readonly string[] | undefined;
  /** Whether to give the log-probability of each token; false. */
  readonly logProbs?: boolean | undefined;
  /** Stops the work, also in the middle of a long prompt; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface TemplateOptions extends GenerateOptions {
  /** The pictures of a template's `<image>`s, in order. */
  readonly images?: readonly PictureSource[] | undefined;
}

export interface CaptionOptions extends GenerateOptions {
  readonly shots?: readonly Shot[] | undefined;
  /** What stands between picture and caption, in the query and in the shots; `Output:` unless the model says otherwise. */
  readonly prompt?: string | undefined;
}

export interface AskOptions extends GenerateOptions {
  readonly shots?: readonly QuestionShot[] | undefined;
}

export interface Answer {
  /** Without special tokens, otherwise untouched; cut before a stop string. */
  readonly text: string;
  /** The generated ids, the end token included if it was generated. */
  readonly ids: readonly number[];
  readonly finishReason: FinishReason;
  /** The natural logarithm of each token's probability; only if asked for. */
  readonly logProbs?: readonly number[];
}

/** A loaded model. Close it, or declare it with `await using`, to give its memory back. */
export interface Flamingo extends AsyncDisposable {
  readonly name: string;
  /** `random`: untrained, its words mean nothing. */
  readonly words: "random" | "trained";
  /** The runtime that computes, such as `ort.ffi 1.30.0`. */
  readonly engine: string;
  /**
   * Continues a prompt of pictures and texts.
   *
   * @throws OpenFlamingoError `picture-count`, `picture-missing`, `picture-unreadable`, `picture-unsupported`,
   *   `prompt-too-long`, `usage`, `engine`, `logits-not-finite`, `memory`
   * @example
   * const { text } = await flamingo.generate("<image>An image of", { images: ["cat.jpg"], maxNewTokens: 10 });
   */
  generate(prompt: PromptInput, options?: TemplateOptions): Promise<Answer>;
  /** As `generate`, piece by piece. Leaving the loop early stops the work. */
  stream(prompt: PromptInput, options?: TemplateOptions): AsyncGenerator<Piece, void>;
  /** Says what is in a picture. */
  caption(picture: PictureSource, options?: CaptionOptions): Promise<Answer>;
  /** Answers a question about a picture. */
  ask(picture: PictureSource, question: string, options?: AskOptions): Promise<Answer>;
  /** The prompt of `caption`, with the model's own words: for `stream`. */
  captionPrompt(picture: PictureSource, options?: CaptionOptions): PreparedPrompt;
  close(): Promise<void>;
}

/** What a model says of itself in `openflamingo.json`, and what its parts are. */
export interface FlamingoParts {
  readonly name: string;
  readonly words: "random" | "trained";
  readonly runtimeName: string;
  readonly engine: Engine;
  readonly tokenizer: FlamingoTokenizer;
  readonly preprocessing: Preprocessing;
  /** The model's own words for `caption`, and its own defaults. */
  readonly prompt: string | undefined;
  readonly generation: Pick<GenerateOptions, "maxNewTokens" | "minNewTokens" | "stop">;
  readonly decodePicture: (
    source: PictureSource,
    options: { signal?: AbortSignal | undefined },
  ) => Promise<Raster>;
  close(): Promise<void>;
}

export function createFlamingo(parts: FlamingoParts): Flamingo {
  const { engine, tokenizer, preprocessing, decodePicture } = parts;
  const { special } = tokenizer;

  async function encodeAll(pictures: readonly PictureSource[], signal: AbortSignal | undefined) {
    const encoded: EncodedPicture[] = [];
    for (const source of pictures) {
      signal?.throwIfAborted();
      const pixels = preprocess(await decodePicture(source, { signal }), preprocessing);
      encoded.push(await engine.encode(pixels, { signal }));
    }
    return encoded;
  }

  async function* stream(prompt: PromptInput, options: TemplateOptions = {}): AsyncGenerator<Piece, void> {
    const { stop = [], logProbs = false, signal, limits } = settingsOf(options, parts.generation);
    signal?.throwIfAborted();
    const prepared = prepare(prompt, options.images);
    const ids = idsOf(tokenizer, prepared);
    const answer = createAnswerText(tokenizer, stop);
    // Before any work on pictures: a prompt that cannot fit should not cost their time.
    engine.requireRoom(ids.length, limits.maxNewTokens);
    const pictures = await encodeAll(prepared.pictures, signal);
    const decoder = await engine.decoder([{ ids, pictures }], { room: limits.maxNewTokens });
    try {
      const endTokens = [special.endOfChunk];
      for await (const [token] of greedy(decoder, {
        ...limits,
        endTokens,
        banned: [special.image],
        logProbs,
        signal,
      })) {
        const piece = answer.push(token!);
        yield piece;
        if (piece.finishReason) return;
      }
    } finally {
      decoder.close();
    }
  }

  async function generate(prompt: PromptInput, options: TemplateOptions = {}): Promise<Answer> {
    return collect(stream(prompt, options), options.logProbs ?? false);
  }

  const ownCaptionPrompt: Flamingo["captionPrompt"] = (picture, { shots, prompt = parts.prompt } = {}) =>
    captionPrompt(picture, { ...(shots && { shots }), ...(prompt !== undefined && { prompt }) });

  return {
    name: parts.name,
    words: parts.words,
    engine: parts.runtimeName,
    generate,
    stream,
    captionPrompt: ownCaptionPrompt,
    caption: (picture, options = {}) => generate(ownCaptionPrompt(picture, options), withoutShots(options)),
    ask: (picture, question, { shots, ...options } = {}) =>
      generate(askPrompt(picture, question, { ...(shots && { shots }) }), options),
    close: parts.close,
    [Symbol.asyncDispose]: parts.close,
  };
}

/** All pieces of an answer as one. */
export async function collect(pieces: AsyncIterable<Piece>, logProbs = false): Promise<Answer> {
  let text = "";
  const ids: number[] = [];
  const probabilities: number[] = [];
  let finishReason: FinishReason = "length"; // of an answer that may have no token
  for await (const piece of pieces) {
    text += piece.text;
    ids.push(piece.id);
    if (piece.logProb !== undefined) probabilities.push(piece.logProb);
    finishReason = piece.finishReason ?? finishReason;
  }
  return { text, ids, finishReason, ...(logProbs && { logProbs: probabilities }) };
}

const withoutShots = ({ shots: _, prompt: __, ...options }: CaptionOptions): GenerateOptions => options;

/** The settings of one answer: a call's own, else the model's, else the defaults. */
function settingsOf(options: GenerateOptions, model: FlamingoParts["generation"]) {
  const maxNewTokens = options.maxNewTokens ?? model.maxNewTokens ?? 20;
  const minNewTokens = options.minNewTokens ?? model.minNewTokens ?? 0;
  requireCount("maxNewTokens", maxNewTokens);
  requireCount("minNewTokens", minNewTokens);
  if (minNewTokens > maxNewTokens) {
    throw new OpenFlamingoError(
      "usage",
      `minNewTokens is ${minNewTokens}, more than maxNewTokens, which is ${maxNewTokens}`,
    );
  }
  const limits: Pick<GenerationLimits, "minNewTokens"> & { maxNewTokens: number } = {
    maxNewTokens,
    minNewTokens,
  };
  return { limits, stop: options.stop ?? model.stop, logProbs: options.logProbs, signal: options.signal };
}

function requireCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new OpenFlamingoError("usage", `${name} is ${value}, not a whole number from 0 on`);
}
