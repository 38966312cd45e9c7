/** What the options of a generating call come to: the one strategy that they mean, and the limits of the answer. */
import { OpenFlamingoError } from "../base/errors.js";
import { boolean, count, optional } from "../base/fields.js";
import type { Settings } from "../generate/answers.js";
import { beamReaders } from "../generate/beams.js";
import { processingReaders } from "../generate/processors.js";
import { samplingReaders } from "../generate/sample.js";
import { type Strategy, sequencesReader } from "../generate/strategy.js";
import { stopReader } from "../generate/stream.js";
import { temperatureOrZero } from "../generate/warpers.js";
import type { ModelDefaults } from "./options.js";
import { signal } from "./readOptions.js";

/** The options of all three ways to generate; which of them go together is for `strategyOf` to say. */
export const generationReaders = {
  maxNewTokens: optional(count(0)),
  minNewTokens: processingReaders.minNewTokens,
  stop: stopReader,
  repetitionPenalty: processingReaders.repetitionPenalty,
  noRepeatNgramSize: processingReaders.noRepeatNgramSize,
  processors: processingReaders.processors,
  logProbs: optional(boolean),
  ...beamReaders,
  ...samplingReaders,
  temperature: temperatureOrZero,
  returnSequences: sequencesReader,
  signal,
};

/** Generation's options once they are read. */
export type ReadGeneration = {
  readonly [Name in keyof typeof generationReaders]: ReturnType<(typeof generationReaders)[Name]>;
};

/**
 * A call's own options, else the model's, else the defaults.
 *
 * @throws OpenFlamingoError `usage` for options that exclude each other
 */
export function settingsOf(options: ReadGeneration, model: ModelDefaults): Settings {
  const maxNewTokens = options.maxNewTokens ?? model.maxNewTokens ?? 20;
  const minNewTokens = options.minNewTokens ?? model.minNewTokens ?? 0;
  const returnSequences = options.returnSequences ?? 1;
  if (minNewTokens > maxNewTokens) {
    throw excluded(
      ["minNewTokens", "maxNewTokens"],
      `minNewTokens is ${minNewTokens}, more than maxNewTokens, which is ${maxNewTokens}`,
      "Give a larger maxNewTokens.",
    );
  }
  const { repetitionPenalty, noRepeatNgramSize, processors, logProbs = false } = options;
  return {
    strategy: strategyOf(options, returnSequences),
    maxNewTokens,
    processing: { minNewTokens, repetitionPenalty, noRepeatNgramSize, processors },
    stop: options.stop ?? model.stop ?? [],
    returnSequences,
    logProbs,
    signal: options.signal,
  };
}

function strategyOf(options: ReadGeneration, returnSequences: number): Strategy {
  const { beams = 1, lengthPenalty, earlyStopping, beamLength } = options;
  const { temperature, topK, topP, minP, seed } = options;
  const sampling = firstGiven({ temperature, topK, topP, minP });
  const ofBeams = firstGiven({ lengthPenalty, earlyStopping, beamLength });
  if (beams > 1) {
    if (sampling !== undefined) {
      throw excluded(
        [sampling, "beams"],
        `${sampling} is for sampling and beams is ${beams}`,
        "Give one of the two.",
      );
    }
    if (returnSequences > beams) {
      throw excluded(
        ["returnSequences", "beams"],
        `returnSequences is ${returnSequences}, more than beams, which is ${beams}`,
        "Ask for at most as many as there are beams.",
      );
    }
    return { kind: "beam", beams, lengthPenalty, earlyStopping, beamLength, returnSequences };
  }
  if (ofBeams !== undefined) {
    throw excluded(
      [ofBeams, "beams"],
      `${ofBeams} is for beam search and beams is ${beams}`,
      "Give beams, at least 2.",
    );
  }
  if (sampling !== undefined && temperature !== 0) {
    return { kind: "sample", temperature, topK, topP, minP, seed: seed ?? 0 };
  }
  if (returnSequences > 1) {
    throw excluded(
      ["returnSequences"],
      `returnSequences is ${returnSequences}, and there is one most probable answer`,
      "Give beams, or sample with a temperature above 0.",
    );
  }
  return { kind: "greedy" };
}

const firstGiven = (options: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(options).find((name) => options[name] !== undefined);

const excluded = (options: readonly string[], what: string, hint: string) =>
  new OpenFlamingoError("usage", what, { hint, data: { options } });
