/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="node" preserve="true" />
/**
 * Few-shot vision-language models: images and text in any order in, text out.
 *
 * @module
 */

// The compatible API: the functions of OpenFlamingo (Python), by its names in camel case.
export type { CreateOptions, ModelAndTransforms } from "./api/compat/create.js";
export { createModelAndTransforms } from "./api/compat/create.node.js";
export type { ForwardArguments, ForwardResult } from "./api/compat/forward.js";
export type { GeneratedSequences } from "./api/compat/generation.js";
export type { GenerationArguments, ScoresProcessor } from "./api/compat/generationArguments.js";
export type { Ids, Mask, NumberRow, VisionX } from "./api/compat/inputs.js";
export type { CompatibleModel, GenerateArguments } from "./api/compat/model.js";
export type { PastKeyValues } from "./api/compat/pastKeyValues.js";
export type { LoadedKeys } from "./api/compat/stateDict.js";
export { type MaybePromise, stack, type TensorData } from "./api/compat/tensorData.js";
export type {
  CompatibleTokenizer,
  DecodeOptions,
  TokenizedTexts,
  TokenizeOptions,
} from "./api/compat/tokenizer.js";
// The high-level API.
export type { EmbedInput, EmbedOptions } from "./api/embed.js";
export { type FetchDataOptions, fetchData } from "./api/fetchData.node.js";
export type { TooLarge } from "./api/fittingChoices.js";
export type {
  AskOptions,
  CaptionAllOptions,
  CaptionOptions,
  CaptionPromptOptions,
  CaptionResult,
  Classification,
  ClassifyOptions,
  Flamingo,
  RankPromptOptions,
  TemplateOptions,
} from "./api/flamingo.js";
export { type HubDownloadOptions, hfHubDownload } from "./api/hfHubDownload.node.js";
export { load } from "./api/load.node.js";
export type { BackendName, LoadOptions } from "./api/loadOptions.js";
export type {
  BeamSearchOptions,
  GenerateOptions,
  GreedyOptions,
  SamplingOptions,
  SharedOptions,
} from "./api/options.js";
export { type PackKind, type PackOptions, packData } from "./api/packData.node.js";
export { type Prepared, type PrepareOptions, prepare } from "./api/prepare.node.js";
export {
  type ImagePart,
  image,
  type LabelShot,
  type PreparedPrompt,
  type PromptInput,
  type QuestionShot,
  type Shot,
} from "./api/prompt.js";
export { type ModelReport, type ReportOptions, reportQuality } from "./api/reportQuality.node.js";
export type { ShotOf } from "./api/shots.js";
export { readShots, readShots as shots } from "./api/shots.node.js";
// Both.
export { type ErrorCode, type ErrorData, OpenFlamingoError } from "./base/errors.js";
export type { Progress } from "./base/progress.js";
export type { ReaderLimits } from "./checkpoints/limits.js";
export type { Answer } from "./generate/answers.js";
export type { LogitsProcessor, RowState } from "./generate/processors.js";
export type { RankOptions } from "./generate/rank.js";
export type { FinishReason, Piece } from "./generate/stream.js";
export type { ImageLimits, ImageSource, Orientation } from "./images/index.js";
export type { ColumnNames } from "./pack/columns.js";
export type { FetchSummary } from "./pack/fetch.node.js";
export type { PackSummary, Shard } from "./pack/packShards.node.js";
export type { Count, Counts } from "./pack/tally.js";
export type { FormatQuality, QualityReport } from "./quality/report.js";
export type { KeptFormat, WeightFormat } from "./weights/weightFormats.js";
