/**
 * Beam search: the most probable sequences instead of the most probable next token.
 *
 * Reference: transformers 4.33.3, `beam_search` and `BeamSearchScorer`; with `beamLength: "generated"` as from 4.36 on.
 */
import { integer, number, oneOf, optional } from "../base/fields.js";
import type { Prompt } from "../runner/encodedImages.js";
import type { ModelRunner } from "../runner/modelRunner.js";
import { logProbabilities } from "./logits.js";
import { createProcessor, type Processing, type RowState } from "./processors.js";

export interface BeamSettings {
  readonly beams: number;
  /** A score is divided by the sequence's length to this power; 1 when left out. */
  readonly lengthPenalty?: number | undefined;
  /**
   * When a search with `beams` finished sequences is over. True: at once. False: when the best beam would not be better
   * than the worst of them if it ended now. "never": when it could not become better at any length.
   */
  readonly earlyStopping?: boolean | "never" | undefined;
  /**
   * What a length counts. "total" (when left out): prompt and answer without end token; "generated": the answer with
   * it.
   */
  readonly beamLength?: "total" | "generated" | undefined;
  /** How many sequences to give, at most `beams`; 1. */
  readonly returnSequences?: number | undefined;
}

/**
 * The published numbers are of 3 beams, and no use of more than 32 is known: twice as many are enough. The memory grows
 * with their number, and once answers are long, the time with its square: a beam's attention passes over all beams.
 */
const mostBeams = 64;

/** Within these bounds a length to this power is a finite number that is not 0, whatever a model's positions. */
const lengthPenalties = number(-50, 50);

/** What each of these settings may be, for those who read them. */
export const beamReaders = {
  beams: optional(integer(1, mostBeams)),
  lengthPenalty: optional(lengthPenalties),
  earlyStopping: optional(oneOf<boolean | "never">(true, false, "never")),
  beamLength: optional(oneOf("total", "generated")),
};

export interface BeamOptions extends BeamSettings, Processing {
  readonly maxNewTokens: number;
  /** Tokens that end a sequence; none: all grow to the greatest length. */
  readonly endTokens: readonly number[];
  /** Tokens that are never generated. */
  readonly banned?: readonly number[] | undefined;
  /**
   * Ids that stand before the new tokens for processors and lengths; the prompt's own when left out. In a batch of the
   * reference implementation the padding belongs to them.
   */
  readonly before?: readonly number[] | undefined;
  /** Is shown the log-probabilities of each beam at each step, after processors. */
  readonly onScores?: ((state: RowState) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Sequence {
  /**
   * The new tokens. One that ended has the first of the end tokens at its end, whichever it was, as in the reference
   * implementation.
   */
  readonly ids: readonly number[];
  /** Sum of the log-probabilities, divided by length to the power of the length penalty. */
  readonly score: number;
  /** Of each token, the end token's included. */
  readonly logProbs: readonly number[];
  readonly finished: "end" | "length";
}

/** A sequence that has not ended. */
interface Beam {
  /** Its last node in the tree; −1: the prompt's end. */
  readonly node: number;
  readonly ids: readonly number[];
  readonly logProbs: readonly number[];
  readonly sum: number;
}

/**
 * @param options with settings that `beamReaders` and `processingReaders` let through
 * @returns the best sequences, best first
 * @throws OpenFlamingoError `usage`, `prompt-too-long`, `image-count`, `logits-not-finite`, `backend`;
 *   `signal.reason` when stopped
 */
export async function beamSearch(
  runner: Pick<ModelRunner, "tokenTree">,
  prompt: Prompt,
  options: BeamOptions,
): Promise<readonly Sequence[]> {
  const { beams: count, maxNewTokens, endTokens, before = prompt.ids, signal } = options;
  const process = createProcessor(options, options);
  const finished = createFinished(options, before.length);
  const keep = Math.max(2, 1 + endTokens.length) * count;

  const tree = await runner.tokenTree(prompt, { nodes: count * (maxNewTokens - 1), depth: maxNewTokens });
  try {
    // All beams start at the prompt's end; all but the first are so improbable that only need brings them in.
    let beams: readonly Beam[] = Array.from({ length: count }, (_, i) => ({
      node: -1,
      ids: [],
      logProbs: [],
      sum: i === 0 ? 0 : -1e9,
    }));
    const first = await tree.prefill({ signal });
    let logits: readonly Float32Array[] = beams.map(() => first);
    for (let step = 0; ; step++) {
      const rows = beams.map(({ ids }, row) => {
        const scores = logProbabilities(logits[row]!);
        const state = { row, step, ids: [...before, ...ids], logits: scores };
        process(state);
        options.onScores?.(state);
        return scores;
      });
      const candidates = best(rows, beams, keep);
      const next: Beam[] = [];
      for (const [rank, { beam, token, sum }] of candidates.entries()) {
        const { ids, logProbs, node } = beams[beam]!;
        const grown = { ids, logProbs: [...logProbs, rows[beam]![token]!], node, sum };
        if (!endTokens.includes(token)) next.push({ ...grown, ids: [...ids, token] });
        else if (rank < count) finished.add(grown, "end");
        if (next.length === count) break;
      }
      if (finished.isDone(candidates[0]!.sum, step + 1)) break;
      if (step + 1 === maxNewTokens) {
        for (const beam of next) finished.add(beam, "length");
        break;
      }
      signal?.throwIfAborted();
      logits = await tree.add(
        next.map(({ node, ids }) => ({ parent: node, token: ids.at(-1)! })),
        { signal },
      );
      beams = next.map((beam, i) => ({ ...beam, node: step * count + i }));
    }
    return finished.best();
  } finally {
    tree.close();
  }
}

interface Candidate {
  readonly beam: number;
  readonly token: number;
  readonly sum: number;
}

/** The candidates with the greatest sums, greatest first; of equal ones the earlier. */
function best(rows: readonly Float32Array[], beams: readonly Beam[], keep: number): readonly Candidate[] {
  const found: Candidate[] = [];
  let least = Number.NEGATIVE_INFINITY; // the last of those found
  for (const [beam, row] of rows.entries()) {
    const before = beams[beam]!.sum;
    for (let token = 0; token < row.length; token++) {
      const sum = Math.fround(row[token]! + before); // in float32, as in the reference implementation
      if (found.length === keep && sum <= least) continue;
      let at = found.length;
      while (at > 0 && sum > found[at - 1]!.sum) at--;
      found.splice(at, 0, { beam, token, sum });
      if (found.length > keep) found.pop();
      least = found.at(-1)!.sum;
    }
  }
  return found;
}

/** The best sequences that have ended, as many as there are beams. */
function createFinished(
  {
    beams: count,
    lengthPenalty = 1,
    earlyStopping = false,
    beamLength = "total",
    returnSequences = 1,
    maxNewTokens,
    endTokens,
  }: BeamOptions,
  promptLength: number,
) {
  const sequences: Sequence[] = []; // worst first
  const scored = (sum: number, length: number) => sum / length ** lengthPenalty;
  const whole = (newTokens: number) => (beamLength === "total" ? promptLength + newTokens : newTokens);

  return {
    add({ ids, logProbs, sum }: Beam, how: "end" | "length"): void {
      const ended = how === "end";
      const score = scored(sum, whole(ids.length + (ended && beamLength === "generated" ? 1 : 0)));
      if (sequences.length === count && !(score > sequences[0]!.score)) return;
      // Of equal ones the later comes behind: it counts as better.
      const after = sequences.findIndex((each) => each.score > score);
      const sequence = { ids: ended ? [...ids, endTokens[0]!] : ids, score, logProbs, finished: how };
      sequences.splice(after < 0 ? sequences.length : after, 0, sequence);
      if (sequences.length > count) sequences.shift();
    },

    /** @param sum of the best candidate, which has so many new tokens */
    isDone(sum: number, newTokens: number): boolean {
      if (sequences.length < count) return false;
      if (earlyStopping === true) return true;
      const longest = earlyStopping === "never" && lengthPenalty > 0 ? maxNewTokens : newTokens;
      return sequences[0]!.score >= scored(sum, whole(longest));
    },

    best: (): readonly Sequence[] => sequences.slice(-returnSequences).reverse(),
  };
}
