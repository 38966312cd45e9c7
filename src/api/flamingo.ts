/** The high-level API: what a loaded model offers. `createFlamingo` makes one. */
import type { OpenFlamingoError } from "../base/errors.js";
import type { Answer } from "../generate/answers.js";
import type { RankOptions } from "../generate/rank.js";
import type { Piece } from "../generate/stream.js";
import type { ImageSource } from "../images/index.js";
import type { EmbedInput, EmbedOptions } from "./embed.js";
import type { GenerateOptions } from "./options.js";
import type { LabelShot, PreparedPrompt, PromptInput, QuestionShot, Shot } from "./prompt.js";

export type TemplateOptions = GenerateOptions & {
  /** The images of a template's `<image>`s, in order. */
  readonly images?: readonly ImageSource[] | undefined;
};

export type CaptionOptions = GenerateOptions & CaptionPromptOptions;

export interface CaptionPromptOptions {
  /** Examples: images with the captions that are wanted for them. Default: none. */
  readonly shots?: readonly Shot[] | undefined;
  /** Text between image and caption, in query and shots. Default: `Output:`, unless the model's folder says otherwise. */
  readonly prompt?: string | undefined;
}

export type CaptionAllOptions = CaptionOptions & {
  /** How many images are read and decoded at a time, while the model works on one; from 1 to 64. Default: 2. */
  readonly concurrency?: number | undefined;
};

/** One of many images with its answer, or with the error that belongs to this image alone. */
export type CaptionResult = {
  /** Counts the inputs from 0. */
  readonly index: number;
  /** The input. */
  readonly image: ImageSource;
} & (
  | { readonly answer: Answer; readonly error?: undefined }
  | { readonly error: OpenFlamingoError; readonly answer?: undefined }
);

export type AskOptions = GenerateOptions & {
  /** Examples: images with questions and answers. Default: none. */
  readonly shots?: readonly QuestionShot[] | undefined;
};

export type RankPromptOptions = RankOptions & Pick<TemplateOptions, "images">;

export interface ClassifyOptions extends RankOptions {
  /** Examples: images with their labels. Default: none. */
  readonly shots?: readonly LabelShot[] | undefined;
  /** Text between image and label, in query and shots. Default: as for captions. */
  readonly prompt?: string | undefined;
}

/** A label with how well it fits. */
export interface Classification<Label extends string = string> {
  readonly label: Label;
  /** The natural logarithm of its probability after the prompt: the mean over its tokens, or the sum. */
  readonly logProb: number;
  /** Its share among the labels: exp(logProb), divided by the sum over all of them. */
  readonly probability: number;
}

/** A loaded model. Close it, or declare it with `await using`, to give its memory back. */
export interface Flamingo extends AsyncDisposable {
  /** What the model's folder calls it. */
  readonly name: string;
  /** false: its weights are random, and its words mean nothing. */
  readonly trained: boolean;
  /** The backend that computes, with its version, such as `ort.ffi 1.30.0`. */
  readonly backend: string;
  /**
   * Continues a prompt of images and texts.
   *
   * @throws OpenFlamingoError `image-count`, `image-missing`, `image-unreadable`, `image-unsupported`,
   *   `prompt-too-long`, `usage`, `backend`, `closed`, `logits-not-finite`, `memory`, `network`
   * @example
   * const { text } = await flamingo.generate("<image>An image of", { images: ["cat.jpg"], beams: 3 });
   */
  generate(prompt: PromptInput, options?: TemplateOptions): Promise<Answer>;
  /**
   * As `generate`, piece by piece; with beams, all at the end. Leaving the loop early stops the work. One answer only:
   * `returnSequences` belongs to `generate`.
   */
  stream(prompt: PromptInput, options?: TemplateOptions): AsyncGenerator<Piece, void>;
  /** Says what is in an image. @throws OpenFlamingoError as `generate` */
  caption(image: ImageSource, options?: CaptionOptions): Promise<Answer>;
  /**
   * Says what is in each of many images, in their order. Images are taken as answers are read, so that the input may be
   * endless; one that cannot be read gives an `error` in its place and does not stop the others.
   *
   * @throws OpenFlamingoError as `generate`, where an error does not belong to one image
   * @example
   * for await (const { image, answer, error } of flamingo.captionAll(files)) console.log(image, answer?.text ?? error);
   */
  captionAll(
    images: Iterable<ImageSource> | AsyncIterable<ImageSource>,
    options?: CaptionAllOptions,
  ): AsyncGenerator<CaptionResult, void>;
  /** Answers a question about an image. @throws OpenFlamingoError as `generate` */
  ask(image: ImageSource, question: string, options?: AskOptions): Promise<Answer>;
  /**
   * Scores labels for an image by their log-likelihood; labels are scored exactly as written.
   *
   * @param labels at least one
   * @returns all labels, best first
   * @throws OpenFlamingoError as `generate`
   * @example
   * const [best] = await flamingo.classify("photo.jpg", ["a cat", "a dog"]);
   */
  classify<const Label extends string>(
    image: ImageSource,
    labels: readonly Label[],
    options?: ClassifyOptions,
  ): Promise<readonly Classification<Label>[]>;
  /**
   * How probable each answer is after a prompt, in their order: the mean log-probability of its tokens, or the sum.
   * Tokens with which several answers begin are computed once.
   *
   * @throws OpenFlamingoError as `generate`
   */
  rank(
    prompt: PromptInput,
    answers: readonly string[],
    options?: RankPromptOptions,
  ): Promise<readonly number[]>;
  /**
   * Images, or texts, as CLIP sees them: one vector each, in their order. As OpenFlamingo's (open_clip's)
   * `encode_image` and `encode_text` give them, that is, not of length 1: for cosines, divide each by its length.
   *
   * Images use the vision encoder that is in memory; the first texts load CLIP's text tower, and need CLIP's
   * `tokenizer.json` beside the vision encoder's configuration. A text that is too long is cut.
   *
   * @returns float32 vectors of the length that the vision encoder's configuration calls `embed_dim`
   * @throws OpenFlamingoError `usage` unless there is at least one image or one text; `image-…`, `network`;
   *   `model-…`, `tokenizer-invalid`, `checkpoint-mismatch`, `weights-not-finite`, `backend`, `closed`, `memory`
   * @example
   * const [cat, dog] = await flamingo.embed({ images: ["cat.jpg", "dog.jpg"] });
   * const [text] = await flamingo.embed({ texts: ["a photo of a cat"] });
   */
  embed(input: EmbedInput, options?: EmbedOptions): Promise<readonly Float32Array[]>;
  /** The prompt of `caption`: for `stream`. */
  captionPrompt(image: ImageSource, options?: CaptionPromptOptions): PreparedPrompt;
  /** The prompt of `ask`: for `stream`. */
  askPrompt(image: ImageSource, question: string, options?: Pick<AskOptions, "shots">): PreparedPrompt;
  /** Calls that are under way are rejected with the code `closed`, and so are later ones. Harmless when repeated. */
  close(): Promise<void>;
}
