/**
 * What a caller may ask of generation: settings that all ways of choosing tokens share, and those of greedy
 * generation, beam search and sampling. Options of two ways in one call do not compile. Contract: "Defaults".
 */
import type { LogitsProcessor } from "../generate/processors.js";

/** What all ways of choosing tokens have. */
export interface SharedOptions {
  /** The most tokens to generate, from 0 on. Default: 20, unless the model's `openflamingo.json` says otherwise. */
  readonly maxNewTokens?: number | undefined;
  /** The answer may not end before it has so many tokens. Default: 0. */
  readonly minNewTokens?: number | undefined;
  /** Strings at which the answer ends, besides `<|endofchunk|>`; they are cut off. Default: none. */
  readonly stop?: readonly string[] | undefined;
  /** Above 1, tokens that are in the text already become less probable; below 1, more so. Default: 1. */
  readonly repetitionPenalty?: number | undefined;
  /** No sequence of so many tokens comes twice, the prompt's included. Default: 0, no such rule. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Functions that change the logits of a step in place, after all other rules. Default: none. */
  readonly processors?: readonly LogitsProcessor[] | undefined;
  /** Whether to give the natural logarithm of each token's probability. Default: false. */
  readonly logProbs?: boolean | undefined;
  /** Stops the work, also in the middle of a long prompt; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What beam search has. */
interface BeamSettings {
  /** How many sequences are followed at a time, from 2 to 64. */
  readonly beams: number;
  /** A beam's score is divided by its length to this power. Default: 1; 0 divides by nothing. */
  readonly lengthPenalty?: number | undefined;
  /**
   * When the search is over, once as many sequences have ended as there are beams. true: at once. false (default): when
   * the best running beam would not beat the worst of them if it ended now. "never": when it could not at any length.
   */
  readonly earlyStopping?: boolean | "never" | undefined;
  /**
   * What a length counts. "total" (default): prompt and answer, as the generator of the published numbers did;
   * "generated": the answer alone, as later versions of that library do.
   */
  readonly beamLength?: "total" | "generated" | undefined;
  /** How many of the best answers to give, at most `beams`. Default: 1. */
  readonly returnSequences?: number | undefined;
}

/** What sampling has. Any of the first four starts it, from the full distribution unless narrowed. */
interface SamplingSettings {
  /** Logits are divided by it: below 1, probable tokens become more probable. 0 is greedy generation. Default: 1. */
  readonly temperature?: number | undefined;
  /** Only so many of the most probable tokens are kept. Default: all. */
  readonly topK?: number | undefined;
  /** Only the most probable tokens are kept whose probabilities reach this sum, above 0 to 1. Default: 1, all. */
  readonly topP?: number | undefined;
  /** Only tokens of at least this share of the most probable one's probability are kept, 0 to 1. Default: 0, all. */
  readonly minP?: number | undefined;
  /** The same seed gives the same draws on every machine: an integer from 0 to 2^53 − 1. Default: 0. */
  readonly seed?: number | undefined;
  /** How many answers to draw, up to 256. Default: 1. */
  readonly returnSequences?: number | undefined;
}

/** None of another way's settings. */
type No<Settings> = { readonly [Name in keyof Settings]?: undefined };

/** Always the most probable token: what a call without settings does. */
export type GreedyOptions = SharedOptions &
  No<Omit<BeamSettings, "beams" | "returnSequences">> &
  No<Omit<SamplingSettings, "temperature" | "returnSequences">> & {
    readonly beams?: 1 | undefined;
    readonly temperature?: 0 | undefined;
    readonly returnSequences?: 1 | undefined;
  };

/** The most probable sequences. */
export type BeamSearchOptions = SharedOptions & BeamSettings & No<Omit<SamplingSettings, "returnSequences">>;

/** Each token is drawn by its probability. */
export type SamplingOptions = SharedOptions &
  SamplingSettings &
  No<Omit<BeamSettings, "beams" | "returnSequences">> & { readonly beams?: 1 | undefined };

/** How to generate: greedily, by beams, or by sampling. */
export type GenerateOptions = GreedyOptions | BeamSearchOptions | SamplingOptions;

/** A model's own defaults. */
export type ModelDefaults = Pick<SharedOptions, "maxNewTokens" | "minNewTokens" | "stop">;
