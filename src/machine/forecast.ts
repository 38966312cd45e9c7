/**
 * How much memory a model will take, from its configuration alone: known before anything large is read.
 *
 * The weights come from the list that the compiled programs give, so that every format is counted as it is. What is
 * beside them was measured (docs/machine.md, "The forecast"): it is small beside a released model.
 */
import { elementCount } from "../base/dtypes.js";
import { byteLengthOf } from "../checkpoints/preparedIndex.js";
import { type FormatOf, partsOf } from "../graph/index.js";
import type { FlamingoConfig } from "../models/flamingo.js";
import type { LanguageModel } from "../models/language.js";
import type { WeightUse } from "../onnx/compile.js";
import type { CacheFormat } from "../runner/cacheFormats.js";
import { pieceLengthOf } from "../runner/call.js";
import { cacheBytes } from "../runner/kvCache.js";

/** Sizes in bytes. */
export interface Forecast {
  /** The weights, with what the backend's kernels keep beside them. */
  readonly weights: number;
  /** What a run computes with: of an image, and of a piece of a prompt. */
  readonly workspace: number;
  /** Keys and values of `positions` tokens. */
  readonly cache: number;
  /** Node, the backend and this program. */
  readonly base: number;
  readonly total: number;
}

/**
 * Where weights lie. "memory": they are read from checkpoints. "files": they are mapped, as those of a prepared
 * folder.
 */
export type WeightsIn = "memory" | "files";

/** The weights of each program of a model. */
export type ProgramWeights = readonly (readonly WeightUse[])[];

/** A usual use: some shots, and an answer. */
export const usualPositions = 512;

export interface ForecastOptions {
  readonly weightsIn: WeightsIn;
  /**
   * Whether the backend works in a thread of its own (`ort.binding`): weights in memory are there a second time, and
   * those of the larger program a third time on their way; keys and values, which go to and fro, five times.
   */
  readonly isCopying?: boolean | undefined;
  /** In which numbers keys and values are kept; `fp32` when left out. */
  readonly cacheFormat?: CacheFormat | undefined;
  /** Tokens of prompt and answer. */
  readonly positions?: number | undefined;
}

export function forecastMemory(
  config: FlamingoConfig,
  programs: ProgramWeights,
  { weightsIn, isCopying = false, cacheFormat, positions = usualPositions }: ForecastOptions,
): Forecast {
  const { language } = config;
  const length = Math.min(positions, language.contextLength);
  const onTheirWay = Math.max(...programs.map((weights) => givenBytes([weights])));
  const copied = isCopying && weightsIn === "memory" ? givenBytes(programs) + onTheirWay : 0;
  const weights = weightMemory(programs, language, weightsIn) + copied;
  const workspace =
    imageWorkspace(config) + promptWorkspace(language, length, pieceLengthOf(programs.flat()));
  const cache = (isCopying ? 5 : 1) * cacheBytes(language, 1, length, cacheFormat);
  return { weights, workspace, cache, base, total: weights + workspace + cache + base };
}

/** Each weight once: two programs may use the same one. */
export const distinct = (programs: ProgramWeights): readonly WeightUse[] => [
  ...new Map(programs.flat().map((use) => [use.name, use])).values(),
];

export const givenBytes = (programs: ProgramWeights): number =>
  distinct(programs).reduce((sum, use) => sum + byteLengthOf(use), 0);

/**
 * Float32 alone is computed with where it lies. As soon as a program has weights in blocks, its kernels pack them: the
 * values once and the scales twice, once as they are and once with what they stand for in sums; and its other matrices
 * too. What lies in memory stays there beside that. Of what is mapped, the pages of values go, those of scales stay.
 */
export function weightMemory(
  programs: ProgramWeights,
  language: LanguageModel,
  weightsIn: WeightsIn,
): number {
  const packed = new Set(
    programs
      .filter((weights) => weights.some(({ part }) => part))
      .flatMap((weights) => weights.map(({ name }) => name)),
  );
  return distinct(programs).reduce((sum, use) => {
    const given = byteLengthOf(use);
    if (!packed.has(use.name) || isOnlyLookedUp(use, language)) return sum + given;
    if (use.part?.part === "scales") return sum + 3 * given;
    return sum + (weightsIn === "memory" || isLookedUp(use, language) ? 2 * given : given);
  }, 0);
}

const isLookedUp = ({ tensor }: WeightUse, { embedding }: LanguageModel) =>
  tensor === `lang_encoder.${embedding}`;

/** Without a product with it, the embedding is no kernel's to pack. */
const isOnlyLookedUp = (use: WeightUse, language: LanguageModel) =>
  isLookedUp(use, language) && language.outputEmbedding !== undefined;

/**
 * What a step reads of the weights: the bytes that bound how many tokens there can be in a second.
 *
 * @param decode the weights of the decode program
 */
export const bytesPerToken = (decode: readonly WeightUse[], language: LanguageModel): number =>
  decode.reduce((sum, use) => (isOnlyLookedUp(use, language) ? sum : sum + byteLengthOf(use)), 0);

/**
 * The weights of the same programs in another format, without making their graphs anew: all matrices for which there
 * is a format, which is those of products and look-ups, and the table of positions of the vision encoder (a megabyte).
 */
export const inFormat = (programs: ProgramWeights, formatOf: FormatOf | undefined): ProgramWeights =>
  programs.map((weights) => {
    const tensors = new Map(weights.map(({ tensor, from }) => [tensor, from]));
    return [...tensors].flatMap(([tensor, from]) => {
      const format = isMatrix(from) ? formatOf?.(tensor, from) : undefined;
      const plain: WeightUse = { name: tensor, dtype: "float32", shape: from, tensor, from };
      if (!format) return [plain];
      return partsOf(tensor, from as Matrix, format).flatMap(({ values, scales }) => [
        { ...plain, ...values },
        { ...plain, ...scales },
      ]);
    });
  });

type Matrix = readonly [number, number];
const isMatrix = (shape: readonly number[]): shape is Matrix => shape.length === 2;

/** Fourteen times the widest tensor of a block of the vision encoder. */
function imageWorkspace({ vision }: FlamingoConfig): number {
  const tokens = 1 + (vision.imageSize / vision.patchSize) ** 2;
  return 14 * 4 * elementCount([tokens, Math.round(vision.mlpRatio * vision.hiddenSize)]);
}

/** A prompt is read in pieces; scores and what is added to them are as long as the text so far. */
function promptWorkspace(
  { hiddenSize, heads }: LanguageModel,
  positions: number,
  pieceLength: number,
): number {
  const piece = Math.min(pieceLength, positions);
  return 4 * piece * (32 * hiddenSize + 3 * heads * positions);
}

/** Bytes. */
const base = 150e6;
