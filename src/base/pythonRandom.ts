/**
 * Python's `random.Random`, for choices that must be those of the reference implementation: the order of shards, the
 * drop of documents with one image, demonstrations.
 *
 * Source: CPython 3.10, Modules/_randommodule.c and Lib/random.py.
 */
import { seedByWords, type TwisterState, twisterFrom } from "./mersenneTwister.js";

export interface PythonRandom {
  /** `random()`: a number from 0 to below 1, a multiple of 2^−53. */
  random(): number;
  /** `randrange(count)`: a whole number from 0 to below `count`, which is 1 to 2^32 − 1. */
  below(count: number): number;
  /** Where the generator is: `pythonRandomFrom` goes on from there. */
  state(): TwisterState;
}

/** `random.Random(seed)`. @param seed a whole number from 0 to 2^53 − 1 */
export function pythonRandom(seed: number): PythonRandom {
  const [low, high] = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  return pythonRandomFrom(seedByWords(high === 0 ? [low] : [low, high]));
}

/** A generator that goes on from a state. */
export function pythonRandomFrom(state: TwisterState): PythonRandom {
  const twister = twisterFrom(state);
  return {
    random: () => ((twister.next() >>> 5) * 2 ** 26 + (twister.next() >>> 6)) / 2 ** 53,
    below(count) {
      const unused = Math.clz32(count); // of a word's 32 bits
      for (;;) {
        const value = twister.next() >>> unused;
        if (value < count) return value;
      }
    },
    state: twister.state,
  };
}
