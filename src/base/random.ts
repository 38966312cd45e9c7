/**
 * The one source of random numbers: Philox4x32-10, a function from a counter and a key to four words.
 *
 * It has no state, so that the same seed gives the same numbers on every platform, in any order, and after a resume.
 * Paper: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011), Section 3.3.
 */

type FourWords = readonly [number, number, number, number];

/** Numbers of one stream, by their place in it. */
export interface RandomStream {
  /**
   * A number from 0 to below 1, a multiple of 2^−53.
   *
   * @param step a whole number from 0
   * @param lane a whole number from 0 to 2^32 − 1, for several numbers at one step
   */
  uniform(step: number, lane?: number): number;
  /** A number of the normal distribution with mean 0 and deviation 1. @param step @param lane as for `uniform` */
  normal(step: number, lane?: number): number;
}

/**
 * @param seed a whole number from 0 to 2^53 − 1
 * @param purpose what the numbers are for: streams of the same seed and other purposes have nothing in common
 */
export function randomStream(seed: number, purpose: string): RandomStream {
  const key = wordsOf(seed);
  const stream = hash(purpose);
  const wordsAt = (step: number, lane: number) => philox([...wordsOf(step), lane, stream], key);
  return {
    uniform(step, lane = 0) {
      const [high, low] = wordsAt(step, lane);
      return fraction(high, low);
    },
    // Box and Muller's way, which takes two uniform numbers.
    normal(step, lane = 0) {
      const [a, b, c, d] = wordsAt(step, lane);
      return Math.sqrt(-2 * Math.log(1 - fraction(a, b))) * Math.cos(2 * Math.PI * fraction(c, d));
    },
  };
}

/** From two words to a number from 0 to below 1. */
const fraction = (high: number, low: number): number => ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;

/** Ten rounds of Philox4x32; all words are unsigned 32-bit numbers. */
export function philox(counter: FourWords, key: readonly [number, number]): FourWords {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < 10; round++) {
    const [highA, lowA] = product(0xd2511f53, a);
    const [highC, lowC] = product(0xcd9e8d57, c);
    [a, b, c, d] = [(highC ^ b ^ k) >>> 0, lowC, (highA ^ d ^ l) >>> 0, lowA];
    k = (k + 0x9e3779b9) >>> 0;
    l = (l + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/** The upper and the lower word of the product of two words, in halves: a double holds 53 bits. */
function product(x: number, y: number): readonly [number, number] {
  const lower = (x & 0xffff) * y;
  const upper = (x >>> 16) * y + Math.floor(lower / 0x10000);
  return [Math.floor(upper / 0x10000), Math.imul(x, y) >>> 0];
}

/** The lower and the upper word of a whole number below 2^53. */
const wordsOf = (value: number): readonly [number, number] => [value >>> 0, Math.floor(value / 2 ** 32)];

/** FNV-1a of the text's UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
