/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Few-shot vision-language models: images and text in any order in, text out.
 *
 * @module
 */

export type { EmbedInput, EmbedOptions } from "./api/embed.js";
export type {
  AskOptions,
  CaptionOptions,
  Classification,
  ClassifyOptions,
  Flamingo,
  RankOptions,
  TemplateOptions,
} from "./api/flamingo.js";
export type { LoadOptions } from "./api/load.js";
export { load } from "./api/load.node.js";
export type { CreateOptions, ModelAndTransforms } from "./api/original/create.js";
export { createModelAndTransforms } from "./api/original/create.node.js";
export type { ForwardArguments, ForwardResult } from "./api/original/forward.js";
export type { GeneratedSequences, GenerationArguments, ScoresProcessor } from "./api/original/generation.js";
export type { GenerateArguments, OriginalModel } from "./api/original/model.js";
export type { PastKeyValues } from "./api/original/pastKeyValues.js";
export type { LoadedKeys } from "./api/original/stateDict.js";
export { type Soon, stack, type Tensor } from "./api/original/tensor.js";
export type { OriginalTokenizer, TokenizedTexts, TokenizeOptions } from "./api/original/tokenizer.js";
export {
  askPrompt,
  captionPrompt,
  classifyPrompt,
  type Image,
  image,
  type LabelShot,
  type PromptInput,
  type QuestionShot,
  type Shot,
} from "./api/prompt.js";
export type { GenerateOptions } from "./api/settings.js";
export { shots } from "./api/shots.node.js";
export { type ErrorCode, exitCodes, OpenFlamingoError } from "./base/errors.js";
export type { ReaderLimits } from "./checkpoints/limits.js";
export type { Answer } from "./generate/answers.js";
export type { LogitsProcessor, RowState } from "./generate/processors.js";
export type { FinishReason, Piece } from "./generate/stream.js";
export type { ImageLimits, ImageSource } from "./images/index.js";
