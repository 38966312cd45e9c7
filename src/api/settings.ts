/** What a caller asks of generation, and the one strategy that it means. Contract: "Defaults". */
import { OpenFlamingoError } from "../base/errors.js";
import type { Settings } from "../generate/answers.js";
import type { LogitsProcessor } from "../generate/processors.js";
import type { Strategy } from "../generate/strategy.js";

export interface GenerateOptions {
  /** The most tokens to generate; 20 unless the model says otherwise. */
  readonly maxNewTokens?: number | undefined;
  /** Before so many tokens the answer may not end; 0. */
  readonly minNewTokens?: number | undefined;
  /** Strings at which the answer ends, besides `<|endofchunk|>`; they are cut off. */
  readonly stop?: readonly string[] | undefined;

  /** Searches so many sequences at a time for the most probable; 1: always the most probable next token. */
  readonly beams?: number | undefined;
  /** A beam's score is divided by its length to this power; 1. */
  readonly lengthPenalty?: number | undefined;
  /** When a beam search is over: false (default), true or "never"; see `BeamSettings`. */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** What a beam's length counts: "total" (default) as the published numbers did, or "generated". */
  readonly beamLength?: "total" | "generated" | undefined;
  /** How many answers to give: the best beams, or as many samples; 1. */
  readonly returnSequences?: number | undefined;

  /** Any of these four makes it draw tokens instead, from the full distribution unless narrowed; see `Warping`. */
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  /** The same seed gives the same draws on every machine; 0. */
  readonly seed?: number | undefined;

  /** Above 1, tokens that are in the text already become less probable. */
  readonly repetitionPenalty?: number | undefined;
  /** No sequence of so many tokens comes twice; 0: no such rule. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Functions that change the logits of a step, after all other rules. */
  readonly processors?: readonly LogitsProcessor[] | undefined;

  /** Whether to give the log-probability of each token; false. */
  readonly logProbs?: boolean | undefined;
  /** Stops the work, also in the middle of a long prompt; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A model's own defaults. */
export type ModelDefaults = Pick<GenerateOptions, "maxNewTokens" | "minNewTokens" | "stop">;

const known: ReadonlySet<string> = new Set<keyof GenerateOptions | "images">([
  ...(["images", "maxNewTokens", "minNewTokens", "stop", "logProbs", "signal"] as const),
  ...(["beams", "lengthPenalty", "earlyStopping", "beamLength", "returnSequences"] as const),
  ...(["temperature", "topK", "topP", "minP", "seed"] as const),
  ...(["repetitionPenalty", "noRepeatNgramSize", "processors"] as const),
]);

/** A misspelt option would silently be without effect. @throws OpenFlamingoError `usage` */
export function requireKnown(what: string, options: object, names: ReadonlySet<string>): void {
  const unknown = Object.keys(options).find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw usage(`${what} has no option ${unknown}`, `It has ${[...names].join(", ")}.`);
  }
}

/**
 * A call's own options, else the model's, else the defaults.
 *
 * @throws OpenFlamingoError `usage` for impossible ones and for those that exclude each other
 */
export function settingsOf(options: GenerateOptions, model: ModelDefaults): Settings {
  requireKnown("generation", options, known);
  const maxNewTokens = options.maxNewTokens ?? model.maxNewTokens ?? 20;
  const minNewTokens = options.minNewTokens ?? model.minNewTokens ?? 0;
  const returnSequences = options.returnSequences ?? 1;
  requireCount("maxNewTokens", maxNewTokens, 0);
  requireCount("minNewTokens", minNewTokens, 0);
  requireCount("returnSequences", returnSequences, 1);
  requireList("stop", options.stop, "string");
  requireList("processors", options.processors, "function");
  if (minNewTokens > maxNewTokens) {
    throw usage(
      `minNewTokens is ${minNewTokens}, more than maxNewTokens, which is ${maxNewTokens}`,
      "Give a larger maxNewTokens.",
    );
  }
  const { repetitionPenalty, noRepeatNgramSize, processors, logProbs = false, signal } = options;
  const { lengthPenalty, temperature, topK, topP, minP, seed } = options;
  const numbers = {
    lengthPenalty,
    temperature,
    topK,
    topP,
    minP,
    seed,
    repetitionPenalty,
    noRepeatNgramSize,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && typeof value !== "number")
      throw usage(`${name} is no number`, "Leave it out for the default.");
  }
  requireSignal(signal);
  return {
    strategy: strategyOf(options, returnSequences),
    maxNewTokens,
    processing: { minNewTokens, repetitionPenalty, noRepeatNgramSize, processors },
    stop: options.stop ?? model.stop ?? [],
    returnSequences,
    logProbs,
    signal,
  };
}

function strategyOf(options: GenerateOptions, returnSequences: number): Strategy {
  const { beams = 1, lengthPenalty, earlyStopping, beamLength } = options;
  const { temperature, topK, topP, minP, seed = 0 } = options;
  requireCount("beams", beams, 1);
  const sampling = given({ temperature, topK, topP, minP });
  const ofBeams = given({ lengthPenalty, earlyStopping, beamLength });
  if (beams > 1) {
    if (sampling) throw usage(`${sampling} is for sampling and beams is ${beams}`, "Give one of the two.");
    return { kind: "beam", beams, lengthPenalty, earlyStopping, beamLength, returnSequences };
  }
  if (ofBeams) throw usage(`${ofBeams} is for beam search and beams is 1`, "Give beams, at least 2.");
  if (sampling) return { kind: "sample", temperature, topK, topP, minP, seed };
  if (returnSequences > 1) {
    throw usage(
      `returnSequences is ${returnSequences}, and there is one most probable answer`,
      "Give beams, or sample.",
    );
  }
  return { kind: "greedy" };
}

/** The name of the first that is given. */
const given = (options: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(options).find((name) => options[name] !== undefined);

/** @throws OpenFlamingoError `usage` */
export function requireCount(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw usage(`${name} is ${value}, not a whole number from ${least} on`, "Leave it out for the default.");
}

/** @throws OpenFlamingoError `usage` for what is no AbortSignal */
export function requireSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw usage(
    "signal is no AbortSignal",
    "new AbortController().signal is one, AbortSignal.timeout(60_000) another.",
  );
}

function requireList(name: string, value: unknown, of: "string" | "function"): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((each) => typeof each === of)) return;
  throw usage(`${name} is not a list of ${of}s`, `Write ${name}: [ … ].`);
}

const usage = (what: string, hint: string) => new OpenFlamingoError("usage", what, { hint });
