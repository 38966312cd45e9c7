/**
 * The high-level API: a loaded model, as a TypeScript programmer expects it.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { type Answer, collectAnswers, generatePieces } from "../generate/answers.js";
import { rank } from "../generate/rank.js";
import type { Piece } from "../generate/stream.js";
import type { ImageSource } from "../images/index.js";
import type { EncodedImage, Prompt } from "../runner/encodedImages.js";
import { encodeOnce } from "../runner/encodeOnce.js";
import type { Features } from "../runner/features.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import { type ClipTokenizer, createEmbed, type EmbedInput, type EmbedOptions } from "./embed.js";
import {
  askPrompt,
  captionPrompt,
  classifyPrompt,
  idsOf,
  type LabelShot,
  type PreparedPrompt,
  type PromptInput,
  prepare,
  type QuestionShot,
  type Shot,
} from "./prompt.js";
import { type GenerateOptions, type ModelDefaults, requireSignal, settingsOf } from "./settings.js";

export interface TemplateOptions extends GenerateOptions {
  /** The images of a template's `<image>`s, in order. */
  readonly images?: readonly ImageSource[] | undefined;
}

export interface CaptionOptions extends GenerateOptions {
  readonly shots?: readonly Shot[] | undefined;
  /** Text between image and caption, in query and shots; `Output:` unless the model says otherwise. */
  readonly prompt?: string | undefined;
}

export interface AskOptions extends GenerateOptions {
  readonly shots?: readonly QuestionShot[] | undefined;
}

export interface RankOptions {
  /** The mean log-probability of an answer's tokens (true, the default), or their sum. */
  readonly normalize?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ClassifyOptions extends RankOptions {
  readonly shots?: readonly LabelShot[] | undefined;
  /** As for captions. */
  readonly prompt?: string | undefined;
}

export interface Classification {
  /** The most probable label. */
  readonly label: string;
  readonly logProbs: Readonly<Record<string, number>>;
  /** Whether these are means over an answer's tokens. */
  readonly normalized: boolean;
}

/** A loaded model. Close it, or declare it with `await using`, to give its memory back. */
export interface Flamingo extends AsyncDisposable {
  readonly name: string;
  /** `random`: untrained, its words mean nothing. */
  readonly words: "random" | "trained";
  /** The runtime that computes, such as `ort.ffi 1.30.0`. */
  readonly backend: string;
  /**
   * Continues a prompt of images and texts.
   *
   * @throws OpenFlamingoError `image-count`, `image-missing`, `image-unreadable`, `image-unsupported`,
   *   `prompt-too-long`, `usage`, `backend`, `logits-not-finite`, `memory`, `network`
   * @example
   * const { text } = await flamingo.generate("<image>An image of", { images: ["cat.jpg"], beams: 3 });
   */
  generate(prompt: PromptInput, options?: TemplateOptions): Promise<Answer>;
  /**
   * As `generate`, piece by piece; with beams, all at the end. Leaving the loop early stops the work. One answer only:
   * `returnSequences` belongs to `generate`.
   */
  stream(prompt: PromptInput, options?: TemplateOptions): AsyncGenerator<Piece, void>;
  /** Says what is in an image. */
  caption(image: ImageSource, options?: CaptionOptions): Promise<Answer>;
  /** Answers a question about an image. */
  ask(image: ImageSource, question: string, options?: AskOptions): Promise<Answer>;
  /** Says which of the labels fits an image best, by log-likelihood; labels are scored exactly as written. */
  classify(image: ImageSource, labels: readonly string[], options?: ClassifyOptions): Promise<Classification>;
  /**
   * How probable each answer is after a prompt, in their order: the mean log-probability of its tokens, or the sum.
   * Tokens with which several answers begin are computed once.
   */
  rank(
    prompt: PromptInput,
    answers: readonly string[],
    options?: RankOptions & Pick<TemplateOptions, "images">,
  ): Promise<readonly number[]>;
  /**
   * Images, or texts, as CLIP sees them: one vector each, in their order. As the reference implementation's
   * `encode_image` and `encode_text` give them, that is, not normalised: for cosines, divide each by its length.
   *
   * Images use the vision encoder that is in memory; the first texts load CLIP's text tower, and need CLIP's
   * `tokenizer.json` beside the vision encoder's configuration. A text that is too long is cut.
   *
   * @returns of the width that the vision encoder's configuration calls `embed_dim`
   * @throws OpenFlamingoError `usage` unless there is at least one image or one text; `image-…`, `network`;
   *   `model-…`, `tokenizer-invalid`, `checkpoint-mismatch`, `weights-not-finite`, `backend`, `memory`
   * @example
   * const [cat, dog] = await flamingo.embed({ images: ["cat.jpg", "dog.jpg"] });
   * const [text] = await flamingo.embed({ texts: ["a photo of a cat"] });
   */
  embed(input: EmbedInput, options?: EmbedOptions): Promise<readonly Float32Array[]>;
  /** The prompt of `caption`, with the model's own words: for `stream`. */
  captionPrompt(image: ImageSource, options?: Pick<CaptionOptions, "shots" | "prompt">): PreparedPrompt;
  close(): Promise<void>;
}

/** What a model says of itself in `openflamingo.json`, and what its parts are. */
export interface FlamingoParts {
  readonly name: string;
  readonly words: "random" | "trained";
  readonly runtimeName: string;
  readonly runner: ModelRunner;
  readonly features: Features;
  readonly tokenizer: FlamingoTokenizer;
  readonly clipTokenizer: () => Promise<ClipTokenizer>;
  /** The model's own words for `caption`, and its own defaults. */
  readonly prompt: string | undefined;
  readonly generation: ModelDefaults;
  /** From an image to what the vision encoder takes, float32 (3, S, S). */
  readonly readImage: (source: ImageSource, signal: AbortSignal | undefined) => Promise<Float32Array>;
  close(): Promise<void>;
}

export function createFlamingo(parts: FlamingoParts): Flamingo {
  const { runner, tokenizer, readImage } = parts;

  let closed = false;
  const requireOpen = () => {
    if (closed) {
      throw new OpenFlamingoError("usage", "the model is closed", {
        hint: "Load it again, or close it later.",
      });
    }
  };

  /** The ids of a prompt and the encodings of its images. */
  async function encode(
    prompt: PreparedPrompt,
    capacity: number,
    signal: AbortSignal | undefined,
  ): Promise<Prompt> {
    requireOpen();
    const ids = idsOf(tokenizer, prompt);
    // Before any work on images: a prompt that cannot fit should not cost their time.
    runner.requireCapacity(ids.length, capacity);
    const encodeImage = encodeOnce(runner);
    const images: EncodedImage[] = [];
    for (const source of prompt.images) {
      signal?.throwIfAborted();
      images.push(await encodeImage(await readImage(source, signal), { signal }));
    }
    return { ids, images };
  }

  async function* pieces(prompt: PromptInput, options: TemplateOptions) {
    const settings = settingsOf(options, parts.generation);
    settings.signal?.throwIfAborted();
    const prepared = prepare(prompt, options.images);
    const encoded = await encode(prepared, settings.maxNewTokens, settings.signal);
    yield* generatePieces(runner, tokenizer, encoded, settings);
  }

  async function* stream(prompt: PromptInput, options: TemplateOptions = {}): AsyncGenerator<Piece, void> {
    if ((options.returnSequences ?? 1) > 1) {
      throw new OpenFlamingoError(
        "usage",
        `a stream is one answer, and returnSequences is ${options.returnSequences}`,
        { hint: "generate() gives several." },
      );
    }
    for await (const { sequence: _, score: __, ...piece } of pieces(prompt, options)) yield piece;
  }

  async function generate(prompt: PromptInput, options: TemplateOptions = {}): Promise<Answer> {
    const { logProbs = false, returnSequences = 1 } = options;
    const answers = await collectAnswers(pieces(prompt, options), { logProbs, returnSequences });
    return { ...answers[0]!, ...(returnSequences > 1 && { sequences: answers }) };
  }

  async function rankPrepared(
    prompt: PreparedPrompt,
    answers: readonly string[],
    { normalize, signal }: RankOptions,
  ) {
    requireSignal(signal);
    signal?.throwIfAborted();
    const tokens = answers.map((answer) => tokenizer.encode(answer, { specialTokens: false }));
    const capacity = Math.max(0, ...tokens.map(({ length }) => length));
    return rank(runner, await encode(prompt, capacity, signal), tokens, { normalize, signal });
  }

  const ownCaptionPrompt: Flamingo["captionPrompt"] = (image, { shots = [], prompt = parts.prompt } = {}) =>
    captionPrompt(image, { shots, ...(prompt !== undefined && { prompt }) });

  const embedder = createEmbed(parts.features, readImage, parts.clipTokenizer);

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await parts.close();
  }

  return {
    name: parts.name,
    words: parts.words,
    backend: parts.runtimeName,
    generate,
    stream,
    captionPrompt: ownCaptionPrompt,
    caption: async (image, { shots, prompt, ...options } = {}) =>
      generate(ownCaptionPrompt(image, { shots, prompt }), options),
    ask: async (image, question, { shots = [], ...options } = {}) =>
      generate(askPrompt(image, question, { shots }), options),
    async classify(image, labels, { shots = [], prompt = parts.prompt, normalize = true, signal } = {}) {
      const asked = classifyPrompt(image, { shots, ...(prompt !== undefined && { prompt }) });
      const scores = await rankPrepared(asked, labels, { normalize, signal });
      const best = scores.indexOf(Math.max(...scores));
      const logProbs = Object.fromEntries(labels.map((label, i) => [label, scores[i]!]));
      return { label: labels[best]!, logProbs, normalized: normalize };
    },
    rank: async (prompt, answers, { images, ...options } = {}) =>
      rankPrepared(prepare(prompt, images), answers, options),
    async embed(input, options) {
      requireOpen();
      requireSignal(options?.signal);
      return embedder(input, options);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
