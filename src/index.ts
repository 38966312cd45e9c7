/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Few-shot vision-language models: images and text in any order in, text out.
 *
 * @module
 */

export type { CreateOptions, ModelAndTransforms } from "./api/compat/create.js";
export { createModelAndTransforms } from "./api/compat/create.node.js";
export type { ForwardArguments, ForwardResult } from "./api/compat/forward.js";
export type { GeneratedSequences, GenerationArguments, ScoresProcessor } from "./api/compat/generation.js";
export type { CompatibleModel, GenerateArguments } from "./api/compat/model.js";
export type { PastKeyValues } from "./api/compat/pastKeyValues.js";
export type { LoadedKeys } from "./api/compat/stateDict.js";
export { type MaybePromise, stack, type Tensor } from "./api/compat/tensor.js";
export type { CompatibleTokenizer, TokenizedTexts, TokenizeOptions } from "./api/compat/tokenizer.js";
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
