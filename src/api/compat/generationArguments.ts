/**
 * The arguments of the compatible API's `generate`: the reference implementation's names and defaults, checked, and the
 * one plan that they mean.
 *
 * Reference: transformers 4.33.3, `GenerationMixin.generate` and `GenerationConfig`.
 */
import { anyFunction, boolean, count, listOf, nullable, optional, type Reader } from "../../base/fields.js";
import { beamReaders } from "../../generate/beams.js";
import { type LogitsProcessor, type Processing, processingReaders } from "../../generate/processors.js";
import { samplingReaders } from "../../generate/sample.js";
import { type Strategy, sequencesReader } from "../../generate/strategy.js";
import { temperatureOrZero } from "../../generate/warpers.js";
import type { WrittenImages } from "../../runner/decoder.js";
import { signal } from "../readOptions.js";
import { type PlainRows, usage } from "./inputs.js";

/** Sees a row's scores at one step and changes them in place. */
export type ScoresProcessor = (state: {
  /** The number of the row; of a beam, prompt · beams + beam. */
  readonly row: number;
  readonly step: number;
  /** All ids so far, padding included. */
  readonly ids: readonly number[];
  /** (V): logits, or log-probabilities in a beam search. */
  readonly scores: Float32Array;
}) => void;

/**
 * As transformers' `generate` takes them, with its defaults; what only sampling or beams use is ignored without them.
 */
export interface GenerationArguments {
  /** The most ids of a row, prompt and padding included. Default: 20. `maxNewTokens` goes before it. */
  readonly maxLength?: number | undefined;
  /** Before so many ids, prompt and padding included, a row may not end. Default: 0. */
  readonly minLength?: number | undefined;
  /** The most ids to generate, from 1 on. Default: what `maxLength` leaves. */
  readonly maxNewTokens?: number | undefined;
  /** Before so many new ids a row may not end. Default: 0. */
  readonly minNewTokens?: number | undefined;
  /** Whether to draw tokens by their probabilities. Default: false. */
  readonly doSample?: boolean | undefined;
  /** How many sequences a beam search follows, from 1 to 64; 1 is no beam search. Default: 1. */
  readonly numBeams?: number | undefined;
  /** A beam's score is divided by its length to this power. Default: 1. */
  readonly lengthPenalty?: number | undefined;
  /** When a beam search is over: see `earlyStopping` of the high-level API. Default: false. */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** What a beam's length counts: "total" (default) as the published version, "generated" as later ones. */
  readonly beamLength?: "total" | "generated" | undefined;
  /** How many sequences to give for a prompt: the best beams, or as many samples, up to 256. Default: 1. */
  readonly numReturnSequences?: number | undefined;
  /**
   * What ends a row, one id or several. Default: `<|endofchunk|>`. −1 is for nothing, and so is null where the language
   * model names no other.
   */
  readonly eosTokenId?: number | readonly number[] | null | undefined;
  /** What rows that have ended are filled with. Default: the language model's, or the first end token. */
  readonly padTokenId?: number | undefined;
  /**
   * Whether keys and values are kept. Default: what the language model's configuration says. It matters only when the
   * model writes `<image>` itself: with it, image indices start anew; without, there is one image more.
   */
  readonly useCache?: boolean | undefined;
  /** Logits are divided by it when sampling. Default: 1. */
  readonly temperature?: number | undefined;
  /** Only so many of the most probable tokens are kept when sampling; 0 keeps all. Default: 50. */
  readonly topK?: number | undefined;
  /** Only the most probable tokens are kept whose probabilities reach this sum, when sampling. Default: 1, all. */
  readonly topP?: number | undefined;
  /** Only tokens of this share of the most probable one's probability are kept, when sampling. Default: 0, all. */
  readonly minP?: number | undefined;
  /** The same seed gives the same draws on every machine. Default: 0. */
  readonly seed?: number | undefined;
  /** Above 1, tokens that are in the text already become less probable. Default: 1. */
  readonly repetitionPenalty?: number | undefined;
  /** No sequence of so many tokens comes twice, the prompt's included. Default: 0, no such rule. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Sequences of ids that are never generated. Default: none. */
  readonly badWordsIds?: readonly (readonly number[])[] | undefined;
  /** Functions that change the scores of a row in place, after all other rules. Default: none. */
  readonly logitsProcessor?: ScoresProcessor | readonly ScoresProcessor[] | undefined;
  /** Whether to give scores beside the sequences. Default: false. */
  readonly outputScores?: boolean | undefined;
  /** Stops the work; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What the language model's own files say of generation. */
export interface LanguageDefaults {
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly useCache: boolean;
  /** `<|endofchunk|>` */
  readonly endOfChunk: number;
}

/** One id, or a list of them; −1 for none. */
const tokenIds: Reader<number | readonly number[]> = (value, at, report) =>
  Array.isArray(value) ? listOf(count(-1))(value, at, report) : count(-1)(value, at, report);

const processor = anyFunction<ScoresProcessor>();
const functions: Reader<ScoresProcessor | readonly ScoresProcessor[]> = (value, at, report) =>
  Array.isArray(value) ? listOf(processor)(value, at, report) : processor(value, at, report);

/** The arguments by their own names; what only sampling or beams use is checked, and without effect, without them. */
export const generationReaders = {
  maxLength: optional(count(1)),
  minLength: processingReaders.minLength,
  maxNewTokens: optional(count(1)),
  minNewTokens: processingReaders.minNewTokens,
  doSample: optional(boolean),
  numBeams: beamReaders.beams,
  lengthPenalty: beamReaders.lengthPenalty,
  earlyStopping: beamReaders.earlyStopping,
  beamLength: beamReaders.beamLength,
  numReturnSequences: sequencesReader,
  eosTokenId: optional(nullable(tokenIds)),
  padTokenId: optional(count(0)),
  useCache: optional(boolean),
  ...samplingReaders,
  temperature: temperatureOrZero, // 0 is how many say that they do not sample
  topK: optional(count(0)), // 0 is transformers' "all"
  repetitionPenalty: processingReaders.repetitionPenalty,
  noRepeatNgramSize: processingReaders.noRepeatNgramSize,
  badWordsIds: processingReaders.badWords,
  logitsProcessor: optional(functions),
  outputScores: optional(boolean),
  signal,
};

type ReadArguments = {
  readonly [Name in keyof typeof generationReaders]: ReturnType<(typeof generationReaders)[Name]>;
};

/** What a call's arguments come to. */
export interface GenerationPlan {
  readonly strategy: Strategy;
  readonly maxNewTokens: number;
  readonly endTokens: readonly number[];
  /** What rows that have ended are filled with. */
  readonly padding: number;
  /** How many of each prompt. */
  readonly sequences: number;
  readonly writtenImages: WrittenImages;
  readonly processing: Processing & { readonly processors: readonly LogitsProcessor[] };
  readonly outputScores: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Before any work on images: arguments that make no sense should not cost their time.
 *
 * @param langX the rows as they were given, padding included
 * @throws OpenFlamingoError `usage`
 */
export function planOf(langX: PlainRows, options: ReadArguments, defaults: LanguageDefaults): GenerationPlan {
  const { maxLength = 20, outputScores = false, signal } = options;
  const length = langX[0]!.length;
  const maxNewTokens = options.maxNewTokens ?? maxLength - length;
  if (maxNewTokens < 1) {
    throw usage(
      `generate: maxLength is ${maxLength}, and rows have ${length} ids already`,
      "Give maxNewTokens: maxLength counts the prompt too.",
    );
  }
  const { useCache = defaults.useCache, numReturnSequences: sequences = 1 } = options;
  return {
    strategy: strategyOf(options, langX.length),
    maxNewTokens,
    ...ends(options, defaults),
    sequences,
    writtenImages: useCache ? "restart" : "add",
    processing: processingOf(options),
    outputScores,
    signal,
  };
}

function strategyOf(options: ReadArguments, prompts: number): Strategy {
  const { doSample = false, numBeams = 1, numReturnSequences: sequences = 1 } = options;
  if (numBeams > 1) {
    if (doSample) {
      throw usage(
        `numBeams is ${numBeams} and doSample true: there is no sampling of beams`,
        "Give one of the two.",
      );
    }
    if (sequences > numBeams) {
      throw usage(
        `numReturnSequences is ${sequences}, more than numBeams, which is ${numBeams}`,
        "Ask for at most as many as there are beams.",
      );
    }
    const { lengthPenalty, earlyStopping, beamLength } = options;
    return {
      kind: "beam",
      ...{ beams: numBeams, lengthPenalty, earlyStopping, beamLength, returnSequences: sequences },
    };
  }
  if (sequences > 1 && !doSample) {
    throw usage(
      `numReturnSequences is ${sequences}, and there is one most probable sequence`,
      "Give numBeams, or doSample.",
    );
  }
  if (sequences > 1 && prompts > 1) {
    throw usage(
      `numReturnSequences is ${sequences} with ${prompts} prompts: the images are not repeated`,
      "Give one prompt at a time, or repeat rows and images.",
    );
  }
  return doSample ? samplingOf(options) : { kind: "greedy" };
}

function samplingOf({ temperature, topK = 50, topP, minP, seed = 0 }: ReadArguments): Strategy {
  if (temperature === 0) {
    throw usage("temperature is 0 and doSample true: nothing would be drawn", "Leave doSample out.");
  }
  return { kind: "sample", temperature, topK: topK === 0 ? undefined : topK, topP, minP, seed };
}

function processingOf(options: ReadArguments): GenerationPlan["processing"] {
  const { repetitionPenalty, noRepeatNgramSize, badWordsIds, minLength, minNewTokens } = options;
  const processors = [options.logitsProcessor ?? []].flat().map(
    (process): LogitsProcessor =>
      ({ row, step, ids, logits }) =>
        process({ row, step, ids, scores: logits }),
  );
  return { repetitionPenalty, noRepeatNgramSize, badWords: badWordsIds, minLength, minNewTokens, processors };
}

/**
 * End tokens and padding. Null asks for no end token, and the reference implementation's library then falls back to the
 * one that the language model's generation_config.json names, which wants a padding token.
 */
function ends({ eosTokenId, padTokenId }: ReadArguments, defaults: LanguageDefaults) {
  const own = eosTokenId === null ? defaults.eosTokenId : undefined;
  const padding = padTokenId ?? defaults.padTokenId;
  if (own !== undefined && padding === undefined) {
    throw usage(
      `eosTokenId is null, the language model then ends at ${own}, and there is no padTokenId`,
      "Give −1 for no end token at all, or a padTokenId.",
    );
  }
  const asked = eosTokenId === null ? (own ?? []) : (eosTokenId ?? defaults.endOfChunk);
  const endTokens = [asked].flat().filter((token) => token !== -1);
  return { endTokens, padding: padding ?? endTokens[0] ?? 0 };
}
