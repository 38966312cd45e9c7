/** Random choices of one place of an endless list: a pure function of seed, purpose and index. */
import { randomStream } from "../../../src/base/random.js";

/** Choices one after the other. Two `Draws` made of the same arguments give the same ones. */
export interface Draws {
  /** A whole number from 0 to below `n`. */
  below(n: number): number;
  /** Whether an event of this probability happens. */
  chance(probability: number): boolean;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** One of the keys, in proportion to its weight; weights are not all 0. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
  /** All of a list in random order. */
  shuffled<T>(list: readonly T[]): T[];
  /** `n` different ones of a list, all of them where it has fewer. */
  some<T>(list: readonly T[], n: number): T[];
}

/**
 * @param seed a whole number from 0 to 2^53 − 1
 * @param purpose what is drawn
 * @param index a whole number from 0
 */
export function drawsAt(seed: number, purpose: string, index: number): Draws {
  const stream = randomStream(seed, `tiny/words/${purpose}`);
  let lane = 0;
  const uniform = () => stream.uniform(index, lane++);
  const below = (n: number) => Math.floor(uniform() * n);
  const some = <T>(list: readonly T[], n: number): T[] => {
    const rest = [...list];
    const count = Math.min(n, rest.length);
    for (let i = 0; i < count; i++) {
      const other = i + below(rest.length - i);
      [rest[i], rest[other]] = [rest[other]!, rest[i]!];
    }
    return rest.slice(0, count);
  };
  return {
    below,
    chance: (probability) => uniform() < probability,
    pick: (list) => list[below(list.length)]!,
    weighted: (weights) => {
      const entries = Object.entries<number>(weights) as [keyof typeof weights, number][];
      let left = uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      const found = entries.find(([, weight]) => {
        left -= weight;
        return left < 0;
      });
      // Rounding may leave a last trace over: the last key that can be drawn is meant.
      return (found ?? entries.findLast(([, weight]) => weight > 0)!)[0];
    },
    shuffled: (list) => some(list, list.length),
    some,
  };
}
