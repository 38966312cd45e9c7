/** Choices one after the other from a random stream: everything about one scene or image is drawn at one step of it. */
import type { RandomStream } from "../../../src/base/random.js";

export interface Choices {
  /** From `from` to below `to`. */
  between(from: number, to: number): number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** Of the normal distribution with mean 0 and deviation 1. */
  normal(): number;
  /** True in this share of all cases. */
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** A number by its weight in a list. */
  weighted(weights: readonly number[]): number;
  /** In random order. */
  shuffled<T>(list: readonly T[]): T[];
}

/** @param step where in the stream */
export function choicesOf(stream: RandomStream, step: number): Choices {
  let lane = 0;
  const uniform = () => stream.uniform(step, lane++);
  const below = (limit: number) => Math.floor(limit * uniform());
  return {
    below,
    between: (from, to) => from + (to - from) * uniform(),
    normal: () => stream.normal(step, lane++),
    chance: (share) => uniform() < share,
    pick(list) {
      if (list.length === 0) throw new Error("there is nothing to pick from");
      return list[below(list.length)]!;
    },
    weighted(weights) {
      let left = uniform() * weights.reduce((sum, weight) => sum + weight, 0);
      const found = weights.findIndex((weight) => {
        left -= weight;
        return left < 0;
      });
      return found < 0 ? weights.length - 1 : found;
    },
    shuffled(list) {
      const result = [...list];
      for (let i = result.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [result[i], result[j]] = [result[j]!, result[i]!];
      }
      return result;
    },
  };
}
