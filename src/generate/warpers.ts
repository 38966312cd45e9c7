/**
 * What sampling does with the logits of one row before a token is drawn: it sharpens or flattens them, and leaves out
 * tokens that are too improbable.
 *
 * Reference: transformers 4.46.3, `generation/logits_process.py`, in the order in which `generate` applies them.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { probabilities } from "./logits.js";

export interface Warping {
  /** Logits are divided by it: below 1 probable tokens become more probable; 1 when left out. */
  readonly temperature?: number | undefined;
  /**
   * Only so many of the most probable tokens are kept, and those as probable as the last of them; all when left out.
   */
  readonly topK?: number | undefined;
  /** Only the most probable tokens are kept that together have this probability; 1, all, when left out. */
  readonly topP?: number | undefined;
  /** Only tokens are kept that have this share of the most probable one's probability; 0, all, when left out. */
  readonly minP?: number | undefined;
}

/**
 * All that is asked for, as one function that changes a row of logits in place. The most probable token always stays.
 *
 * @throws OpenFlamingoError `usage` for settings that make no sense
 */
export function createWarper(settings: Warping): (logits: Float32Array) => void {
  check(settings);
  const { temperature = 1, topK = Number.POSITIVE_INFINITY, topP = 1, minP = 0 } = settings;
  return (logits) => {
    if (temperature !== 1) for (let i = 0; i < logits.length; i++) logits[i]! /= temperature;
    if (topK < logits.length) keepTopK(logits, topK);
    if (topP < 1) keepTopP(logits, topP);
    if (minP > 0) keepMinP(logits, minP);
  };
}

function keepTopK(logits: Float32Array, count: number): void {
  const smallest = logits.toSorted().at(-count)!;
  keepOnly(logits, (token) => logits[token]! >= smallest);
}

function keepTopP(logits: Float32Array, mass: number): void {
  const p = probabilities(logits);
  const possible = [...p.keys()].filter((token) => p[token]! > 0);
  const leastProbableFirst = possible.sort((a, b) => logits[a]! - logits[b]!);
  const best = leastProbableFirst.pop()!;
  const left = new Set([best]);
  let below = 0;
  for (const token of leastProbableFirst) {
    below += p[token]!;
    if (below > 1 - mass) left.add(token);
  }
  keepOnly(logits, (token) => left.has(token));
}

function keepMinP(logits: Float32Array, share: number): void {
  const p = probabilities(logits);
  const smallest = share * p.reduce((a, b) => Math.max(a, b));
  keepOnly(logits, (token) => p[token]! >= smallest);
}

function keepOnly(logits: Float32Array, kept: (token: number) => boolean): void {
  for (let token = 0; token < logits.length; token++) {
    if (!kept(token)) logits[token] = Number.NEGATIVE_INFINITY;
  }
}

function check({ temperature = 1, topK = 1, topP = 1, minP = 0 }: Warping): void {
  const reject = (name: string, value: number, rule: string, hint: string) => {
    throw new OpenFlamingoError("usage", `${name} is ${value}: it must be ${rule}`, { hint });
  };
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    reject("temperature", temperature, "above 0", "Generate greedily for always the most probable token.");
  }
  if (!(Number.isInteger(topK) && topK >= 1)) {
    reject("topK", topK, "a whole number, 1 or more", "Leave it out to keep all tokens.");
  }
  if (!(topP > 0 && topP <= 1)) reject("topP", topP, "above 0 and at most 1", "1 keeps all tokens.");
  if (!(minP >= 0 && minP <= 1)) reject("minP", minP, "from 0 to 1", "0 keeps all tokens.");
}
