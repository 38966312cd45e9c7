/**
 * The compatible API's `generate`: the reference implementation's arguments, and its rows of ids.
 *
 * Reference: open_flamingo/src/flamingo.py, `Flamingo.generate`, on transformers 4.33.3, `GenerationMixin.generate`.
 */

import {
  boolean,
  integer,
  listOf,
  nullable,
  number,
  oneOf,
  optional,
  type Reader,
} from "../../base/fields.js";
import { beamSearch } from "../../generate/beams.js";
import { greedy } from "../../generate/greedy.js";
import type { LogitsProcessor, Processing, RowState } from "../../generate/processors.js";
import type { GenerationLimits } from "../../generate/rows.js";
import { sample } from "../../generate/sample.js";
import type { Prompt } from "../../runner/encodedImages.js";
import type { ModelRunner } from "../../runner/modelRunner.js";
import { anyFunction, count, signal } from "../readOptions.js";
import { type Ids, type PlainRows, usage } from "./inputs.js";

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
  /** The most ids of a row, prompt and padding included; 20. `maxNewTokens` goes before it. */
  readonly maxLength?: number | undefined;
  /** Before so many ids, prompt and padding included, a row may not end; 0. */
  readonly minLength?: number | undefined;
  readonly maxNewTokens?: number | undefined;
  readonly minNewTokens?: number | undefined;
  /** Whether to draw tokens; false. */
  readonly doSample?: boolean | undefined;
  /** 1: no beam search. */
  readonly numBeams?: number | undefined;
  /** 1 */
  readonly lengthPenalty?: number | undefined;
  /** false */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** What a beam's length counts: "total" (default) as the published version, "generated" as later ones. */
  readonly beamLength?: "total" | "generated" | undefined;
  /** 1 */
  readonly numReturnSequences?: number | undefined;
  /**
   * What ends a row; `<|endofchunk|>` when left out. −1 for nothing, and null where the language model names no other.
   */
  readonly eosTokenId?: number | readonly number[] | null | undefined;
  /** What rows that have ended are filled with; the language model's, or the first end token, when left out. */
  readonly padTokenId?: number | undefined;
  /**
   * Whether keys and values are kept; the language model's configuration says it when left out. It matters only when
   * the model writes `<image>` itself: see `writtenImages` of `DecoderOptions`.
   */
  readonly useCache?: boolean | undefined;
  /** 1 */
  readonly temperature?: number | undefined;
  /** 50 */
  readonly topK?: number | undefined;
  /** 1 */
  readonly topP?: number | undefined;
  /** 0 */
  readonly minP?: number | undefined;
  /** The same seed gives the same draws on every machine; 0. */
  readonly seed?: number | undefined;
  /** 1 */
  readonly repetitionPenalty?: number | undefined;
  /** 0 */
  readonly noRepeatNgramSize?: number | undefined;
  readonly badWordsIds?: Ids | undefined;
  /** Come after all other rules. */
  readonly logitsProcessor?: ScoresProcessor | readonly ScoresProcessor[] | undefined;
  /** Whether to give scores beside the sequences; false. */
  readonly outputScores?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GeneratedSequences {
  /** (B · numReturnSequences, length): prompt, padding included, and new ids; a prompt's sequences stand together. */
  readonly sequences: number[][];
  /**
   * For each step and row (of a beam search: prompt · beams + beam) what the token was chosen from, (V); a row that has
   * ended has none.
   */
  readonly scores: readonly (readonly (Float32Array | undefined)[])[];
  /** Of each sequence; only of a beam search. */
  readonly sequencesScores?: readonly number[];
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
  maxLength: optional(count(1), 20),
  minLength: optional(count(0)),
  maxNewTokens: optional(count(1)),
  minNewTokens: optional(count(0)),
  doSample: optional(boolean, false),
  numBeams: optional(integer(1, 64), 1),
  lengthPenalty: optional(number(-1e3, 1e3)),
  earlyStopping: optional(oneOf<boolean | "never">(true, false, "never")),
  beamLength: optional(oneOf("total", "generated")),
  numReturnSequences: optional(integer(1, 1024), 1),
  eosTokenId: optional(nullable(tokenIds)),
  padTokenId: optional(count(0)),
  useCache: optional(boolean),
  temperature: optional(number(0, 1e6, { above: true })),
  topK: optional(count(1), 50),
  topP: optional(number(0, 1, { above: true })),
  minP: optional(number(0, 1)),
  seed: optional(count(0), 0),
  repetitionPenalty: optional(number(0, 1e6, { above: true })),
  noRepeatNgramSize: optional(count(0)),
  badWordsIds: optional(listOf(listOf(count(0), 1))),
  logitsProcessor: optional(functions),
  outputScores: optional(boolean, false),
  signal,
};

type ReadArguments = {
  readonly [Name in keyof typeof generationReaders]: ReturnType<(typeof generationReaders)[Name]>;
};

/** What a call's arguments come to. */
export interface Plan extends ReadArguments {
  readonly maxNewTokens: number;
  readonly endTokens: readonly number[];
  readonly padding: number;
  readonly useCache: boolean;
  readonly processing: Processing & { readonly processors: readonly LogitsProcessor[] };
}

/**
 * Before any work on images: arguments that make no sense should not cost their time.
 *
 * @param langX the rows as they were given, padding included
 * @throws OpenFlamingoError `usage`
 */
export function planOf(langX: PlainRows, options: ReadArguments, defaults: LanguageDefaults): Plan {
  const { doSample, numBeams, numReturnSequences, maxLength } = options;
  const length = langX[0]!.length;
  const maxNewTokens = options.maxNewTokens ?? maxLength - length;
  if (maxNewTokens < 1) {
    throw usage(
      `generate: maxLength is ${maxLength}, and rows have ${length} ids already`,
      "Give maxNewTokens: maxLength counts the prompt too.",
    );
  }
  if (numBeams > 1 && doSample) {
    throw usage(
      `numBeams is ${numBeams} and doSample true: there is no sampling of beams`,
      "Give one of the two.",
    );
  }
  if (numBeams > 1 && numReturnSequences > numBeams) {
    throw usage(
      `numReturnSequences is ${numReturnSequences}, more than numBeams, which is ${numBeams}`,
      "Ask for at most as many as there are beams.",
    );
  }
  if (numReturnSequences > 1 && numBeams === 1) {
    if (!doSample) {
      throw usage(
        `numReturnSequences is ${numReturnSequences}, and there is one most probable sequence`,
        "Give numBeams, or doSample.",
      );
    }
    if (langX.length > 1) {
      throw usage(
        `numReturnSequences is ${numReturnSequences} with ${langX.length} prompts: the images are not repeated`,
        "Give one prompt at a time, or repeat rows and images.",
      );
    }
  }
  const useCache = options.useCache ?? defaults.useCache;
  return {
    ...options,
    maxNewTokens,
    useCache,
    ...ends(options, defaults),
    processing: processingOf(options),
  };
}

/**
 * @param langX the rows as they were given, padding included
 * @param prompts the same without padding, with their images
 * @throws OpenFlamingoError `usage`, `prompt-too-long`, `image-count`, `logits-not-finite`, `backend`
 */
export async function generateSequences(
  runner: ModelRunner,
  langX: PlainRows,
  prompts: readonly Prompt[],
  plan: Plan,
): Promise<GeneratedSequences> {
  const { doSample, numBeams, numReturnSequences, maxNewTokens, endTokens, padding } = plan;
  const scores: (Float32Array | undefined)[][] = [];
  const record = (state: RowState, row = state.row) => {
    scores[state.step] ??= [];
    scores[state.step]![row] = state.logits.slice();
  };
  const recording = plan.outputScores;
  const limits = { ...plan.processing, maxNewTokens, endTokens, signal: plan.signal };

  if (numBeams > 1) {
    const found = [];
    for (const [b, prompt] of prompts.entries()) {
      const rowOf = ({ row }: { readonly row: number }) => b * numBeams + row;
      found.push(
        ...(await beamSearch(runner, prompt, {
          ...limits,
          processors: limits.processors.map((process) => (state) => process({ ...state, row: rowOf(state) })),
          ...(recording && { onScores: (state) => record(state, rowOf(state)) }),
          beams: numBeams,
          lengthPenalty: plan.lengthPenalty,
          earlyStopping: plan.earlyStopping,
          beamLength: plan.beamLength,
          returnSequences: numReturnSequences,
          before: langX[b],
        })),
      );
    }
    const sequences = found.map(({ ids }, i) => [...langX[Math.floor(i / numReturnSequences)]!, ...ids]);
    return {
      sequences: filled(sequences, padding),
      scores,
      sequencesScores: found.map(({ score }) => score),
    };
  }

  const rows = prompts.flatMap((prompt) => Array.from({ length: numReturnSequences }, () => prompt));
  const before = langX.flatMap((row) => Array.from({ length: numReturnSequences }, () => row));
  const decoder = await runner.decoder(rows, {
    capacity: maxNewTokens,
    writtenImages: plan.useCache ? "restart" : "add",
  });
  try {
    const sequences = before.map((row) => [...row]);
    const rowLimits: GenerationLimits = {
      ...limits,
      before,
      ...(recording && { onScores: (state) => record(state) }),
    };
    const { temperature, topK, topP, minP, seed } = plan;
    const steps = doSample
      ? sample(decoder, { ...rowLimits, temperature, topK, topP, minP, seed })
      : greedy(decoder, rowLimits);
    for await (const tokens of steps) {
      for (const [row, token] of tokens.entries()) if (token) sequences[row]!.push(token.id);
    }
    return { sequences: filled(sequences, padding), scores };
  } finally {
    decoder.close();
  }
}

function processingOf(options: ReadArguments): Plan["processing"] {
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

/** All of the longest one's length. */
function filled(sequences: readonly (readonly number[])[], padding: number): number[][] {
  const longest = Math.max(...sequences.map(({ length }) => length));
  return sequences.map((ids) => [...ids, ...Array.from({ length: longest - ids.length }, () => padding)]);
}
