/** Makes the high-level API of a model runner and what reads images and texts for it. */
import { asyncDispose } from "../base/dispose.js";
import { OpenFlamingoError } from "../base/errors.js";
import { anything, integer, listOf, optional, type Read, type Reader, string } from "../base/fields.js";
import { type Answer, collectAnswers, generatePieces, type Settings } from "../generate/answers.js";
import { longestOf, rank, rankingReaders, requireTokens } from "../generate/rank.js";
import type { Piece } from "../generate/stream.js";
import type { ImageSource } from "../images/index.js";
import type { EncodedImage, Prompt } from "../runner/encodedImages.js";
import { encodeOnce } from "../runner/encodeOnce.js";
import type { Features } from "../runner/features.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import { captionAll } from "./captionAll.js";
import { classificationsOf, readAnswers } from "./classify.js";
import { type ClipTokenizer, createEmbed } from "./embed.js";
import type {
  AskOptions,
  CaptionAllOptions,
  CaptionOptions,
  CaptionResult,
  Flamingo,
  TemplateOptions,
} from "./flamingo.js";
import type { ModelDefaults } from "./options.js";
import {
  askPrompt,
  captionPrompt,
  classifyPrompt,
  contentOf,
  idsOf,
  type PromptContent,
  type PromptInput,
} from "./prompt.js";
import { readOptions, signal } from "./readOptions.js";
import { generationReaders, settingsOf } from "./settings.js";
import { shotsReader } from "./shots.js";

/** What a model says of itself in `openflamingo.json`, and what its parts are. */
export interface FlamingoParts {
  readonly name: string;
  readonly trained: boolean;
  readonly backend: string;
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

/** What each call takes, beside its prompt. */
const promptReaders = { shots: optional(shotsReader("caption")), prompt: optional(string) };
const captionReaders = { ...generationReaders, ...promptReaders };
const askPromptReaders = { shots: optional(shotsReader("ask")) };
const templateReaders = { ...generationReaders, images: optional(listOf(anything as Reader<ImageSource>)) };
const rankReaders = { ...rankingReaders, signal };

export function createFlamingo(parts: FlamingoParts): Flamingo {
  const { runner, tokenizer, readImage } = parts;

  let closed = false;
  const requireOpen = () => {
    if (!closed) return;
    throw new OpenFlamingoError("closed", "the model is closed", {
      hint: "Load it again, or close it later.",
    });
  };

  /** The ids of a prompt and the encodings of its images. */
  async function encode(
    content: PromptContent,
    capacity: number,
    signal: AbortSignal | undefined,
  ): Promise<Prompt> {
    requireOpen();
    signal?.throwIfAborted();
    const ids = idsOf(tokenizer, content);
    // Before any work on images: a prompt that cannot fit should not cost their time.
    runner.requireCapacity(ids.length, capacity);
    const encodeImage = encodeOnce(runner);
    const images: EncodedImage[] = [];
    for (const source of content.images) {
      signal?.throwIfAborted();
      images.push(await encodeImage(await readImage(source, signal), { signal }));
    }
    return { ids, images };
  }

  async function* pieces(content: PromptContent, settings: Settings) {
    const prompt = await encode(content, settings.maxNewTokens, settings.signal);
    yield* generatePieces(runner, tokenizer, prompt, settings);
  }

  async function answer(content: PromptContent, settings: Settings): Promise<Answer> {
    const answers = await collectAnswers(pieces(content, settings), settings);
    return { ...answers[0]!, ...(settings.returnSequences > 1 && { sequences: answers }) };
  }

  async function* stream(prompt: PromptInput, options?: TemplateOptions): AsyncGenerator<Piece, void> {
    const { images, ...generation } = readOptions("stream", templateReaders, options);
    const settings = settingsOf(generation, parts.generation);
    if (settings.returnSequences > 1) {
      throw new OpenFlamingoError(
        "usage",
        `stream: a stream is one answer, and returnSequences is ${settings.returnSequences}`,
        { hint: "generate() gives several.", data: { options: ["returnSequences"] } },
      );
    }
    for await (const { sequence: _, score: __, ...piece } of pieces(contentOf(prompt, images), settings)) {
      yield piece;
    }
  }

  async function generate(prompt: PromptInput, options?: TemplateOptions): Promise<Answer> {
    const { images, ...generation } = readOptions("generate", templateReaders, options);
    return answer(contentOf(prompt, images), settingsOf(generation, parts.generation));
  }

  const captionContent = (image: ImageSource, { shots, prompt = parts.prompt }: Read<typeof promptReaders>) =>
    captionPrompt(image, { ...(shots && { shots }), ...(prompt !== undefined && { prompt }) });

  async function caption(image: ImageSource, options?: CaptionOptions): Promise<Answer> {
    const { shots, prompt, ...generation } = readOptions("caption", captionReaders, options);
    return answer(captionContent(image, { shots, prompt }), settingsOf(generation, parts.generation));
  }

  async function ask(image: ImageSource, question: string, options?: AskOptions): Promise<Answer> {
    const { shots, ...generation } = readOptions(
      "ask",
      { ...generationReaders, ...askPromptReaders },
      options,
    );
    return answer(askPrompt(image, question, shots && { shots }), settingsOf(generation, parts.generation));
  }

  async function* everyCaption(
    images: Iterable<ImageSource> | AsyncIterable<ImageSource>,
    options?: CaptionAllOptions,
  ): AsyncGenerator<CaptionResult, void> {
    const readers = { ...captionReaders, concurrency: optional(integer(1, 64), 2) };
    const { shots, prompt, concurrency, ...generation } = readOptions("captionAll", readers, options);
    const settings = settingsOf(generation, parts.generation);
    yield* captionAll(images, concurrency, (image, unwanted) =>
      answer(captionContent(image, { shots, prompt }), {
        ...settings,
        signal: settings.signal ? AbortSignal.any([settings.signal, unwanted]) : unwanted,
      }),
    );
  }

  /** Log-probabilities of answers after a prompt. */
  async function score(
    content: PromptContent,
    answers: readonly string[],
    { normalize, signal }: Read<typeof rankReaders>,
  ): Promise<readonly number[]> {
    const tokens = answers.map((answer) =>
      tokenizer.encode(answer, { specialTokens: false, startAndEnd: false }),
    );
    requireTokens(tokens);
    return rank(runner, await encode(content, longestOf(tokens), signal), tokens, { normalize, signal });
  }

  const embed = createEmbed(parts.features, readImage, parts.clipTokenizer);

  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await parts.close();
  }

  return {
    name: parts.name,
    trained: parts.trained,
    backend: parts.backend,
    generate,
    stream,
    caption,
    captionAll: everyCaption,
    ask,
    async classify(image, labels, options) {
      const readers = {
        ...rankReaders,
        shots: optional(shotsReader("classify")),
        prompt: promptReaders.prompt,
      };
      const { shots, prompt = parts.prompt, ...ranking } = readOptions("classify", readers, options);
      const texts = readAnswers("classify", "labels", labels);
      const content = classifyPrompt(image, {
        ...(shots && { shots }),
        ...(prompt !== undefined && { prompt }),
      });
      return classificationsOf(labels, await score(content, texts, ranking));
    },
    async rank(prompt, answers, options) {
      const { images, ...ranking } = readOptions(
        "rank",
        { ...rankReaders, images: templateReaders.images },
        options,
      );
      const texts = readAnswers("rank", "answers", answers);
      return score(contentOf(prompt, images), texts, ranking);
    },
    async embed(input, options) {
      requireOpen();
      return embed(input, readOptions("embed", { signal }, options));
    },
    captionPrompt: (image, options) =>
      captionContent(image, readOptions("captionPrompt", promptReaders, options)),
    askPrompt(image, question, options) {
      const { shots } = readOptions("askPrompt", askPromptReaders, options);
      return askPrompt(image, question, shots && { shots });
    },
    close,
    [asyncDispose]: close,
  };
}
