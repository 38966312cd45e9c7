/**
 * Logits processors: what is done with the logits of one row before a token is chosen.
 *
 * Reference: transformers 4.33.3, `generation/logits_process.py`, in the order in which `generate` applies them. Greedy
 * generation and sampling give them logits, beam search log-probabilities.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { anyFunction, count, listOf, number, optional } from "../base/fields.js";
import { ban } from "./logits.js";

/** One row at one step. */
export interface RowState {
  /** The number of the row in its batch, or of the beam. */
  readonly row: number;
  /** Counts the tokens generated before: 0 at the first. */
  readonly step: number;
  /** All ids so far: the prompt's and the generated ones. */
  readonly ids: readonly number[];
  /** (V), to be changed in place. */
  readonly logits: Float32Array;
}

/** Changes the logits in place, at once: it may not be asynchronous, and must leave at least one token possible. */
export type LogitsProcessor = (state: RowState) => void;

export interface Processing {
  /** Makes tokens that are in the text already less probable (above 1) or more so (below 1); 1 when left out. */
  readonly repetitionPenalty?: number | undefined;
  /** No sequence of so many tokens comes twice, the prompt's included; 0 or left out: no such rule. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Sequences of tokens that are never generated. */
  readonly badWords?: readonly (readonly number[])[] | undefined;
  /** Before so many tokens, the prompt's included, a row may not end; 0 when left out. */
  readonly minLength?: number | undefined;
  /** Before so many new tokens a row may not end; 0 when left out. */
  readonly minNewTokens?: number | undefined;
  /** Further ones, after all of these. */
  readonly processors?: readonly LogitsProcessor[] | undefined;
}

/** What each of these settings may be, for those who read them. */
export const processingReaders = {
  // Beyond these bounds it could make a logit infinite in float32.
  repetitionPenalty: optional(number(0.001, 1000)),
  noRepeatNgramSize: optional(count(0)),
  badWords: optional(listOf(listOf(count(0), 1))),
  minLength: optional(count(0)),
  minNewTokens: optional(count(0)),
  processors: optional(listOf(anyFunction<LogitsProcessor>())),
};

/**
 * All that is asked for, as one processor.
 *
 * @param settings that `processingReaders` let through
 * @param endTokens tokens that end a row; banning one of them alone as a bad word has no effect, as in the reference
 *   implementation
 * @param banned tokens that are never generated, whatever the processors say
 */
export function createProcessor(
  settings: Processing,
  { endTokens, banned = [] }: { endTokens: readonly number[]; banned?: readonly number[] | undefined },
): LogitsProcessor {
  const { repetitionPenalty = 1, noRepeatNgramSize = 0, badWords = [], processors = [] } = settings;
  const { minLength = 0, minNewTokens = 0 } = settings;
  const words = badWords.filter((word) => !(word.length === 1 && endTokens.includes(word[0]!)));
  return (state) => {
    const { ids, logits, step } = state;
    if (repetitionPenalty !== 1) penalise(ids, logits, repetitionPenalty);
    if (noRepeatNgramSize > 0) ban(logits, completions(ids, noRepeatNgramSize));
    ban(logits, lastTokens(words, ids));
    if (ids.length < minLength || step < minNewTokens) ban(logits, endTokens);
    for (const process of processors) {
      const result: unknown = process(state);
      if (result instanceof Promise) throw asynchronous(result);
    }
    ban(logits, banned);
    requireToken(state, processors.length > 0);
  };
}

function asynchronous(late: Promise<unknown>): OpenFlamingoError {
  late.catch(() => {}); // what it may come to is of no use any more
  return new OpenFlamingoError("usage", "processors: one of them is asynchronous", {
    hint: "A processor changes the logits before it returns.",
  });
}

/** Rules may leave no token at all, and a caller's processors may write anything. */
function requireToken({ row, step, logits }: RowState, fromCaller: boolean): void {
  const place = `row ${row}, step ${step}`;
  const wrong = fromCaller ? logits.findIndex((x) => Number.isNaN(x) || x === Number.POSITIVE_INFINITY) : -1;
  if (wrong >= 0) {
    throw new OpenFlamingoError(
      "usage",
      `processors: after them a logit is ${logits[wrong]} (${place}, token ${wrong})`,
      { hint: "A processor may write finite numbers, and −Infinity for a token that must not come." },
    );
  }
  if (logits.every((x) => x === Number.NEGATIVE_INFINITY)) {
    throw new OpenFlamingoError("usage", `the rules and processors leave no token possible (${place})`, {
      hint: "Relax one of them, such as noRepeatNgramSize, minNewTokens or your own processors.",
    });
  }
}

/** Divides positive logits of the tokens in `ids` by the penalty, and multiplies negative ones. */
function penalise(ids: readonly number[], logits: Float32Array, penalty: number): void {
  for (const id of new Set(ids)) {
    const logit = logits[id]!;
    logits[id] = logit < 0 ? logit * penalty : logit / penalty;
  }
}

/** Tokens with which the last `size` tokens would be a sequence that `ids` holds already. */
function completions(ids: readonly number[], size: number): readonly number[] {
  const found: number[] = [];
  const tail = ids.length - (size - 1);
  for (let start = 0; start + size <= ids.length; start++) {
    let same = 0;
    while (same < size - 1 && ids[start + same] === ids[tail + same]) same++;
    if (same === size - 1) found.push(ids[start + size - 1]!);
  }
  return found;
}

/**
 * The last token of each word whose other tokens stand at the end of `ids`; the reference implementation needs one id
 * more than those.
 */
function lastTokens(words: readonly (readonly number[])[], ids: readonly number[]): readonly number[] {
  return words
    .filter((word) => word.length === 1 || word.length <= ids.length)
    .filter((word) => word.slice(0, -1).every((id, i) => ids[ids.length - (word.length - 1) + i] === id))
    .map((word) => word.at(-1)!);
}
