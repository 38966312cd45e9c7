/**
 * The Mersenne Twister MT19937, for choices that the reference implementation made with Python, numpy or torch: those
 * three share it and differ in how they are seeded and in what they make of its words. All else uses Philox
 * (`random.ts`).
 *
 * Paper: Matsumoto, Nishimura, "Mersenne Twister" (ACM TOMACS 8, 1998); the seedings are those of its 2002 reference.
 */

const size = 624;
const middle = 397;

/** Where a generator is: a JSON value, from which it goes on. */
export interface TwisterState {
  /** 624 words of 32 bits. */
  readonly words: readonly number[];
  /** How many of them were given out, 0 to 624. */
  readonly used: number;
}

export interface Twister {
  /** The next word of 32 bits, unsigned. */
  next(): number;
  /** Where the generator is now. */
  state(): TwisterState;
}

/** A generator that goes on from a state, which stays as it is. */
export function twisterFrom({ words, used }: TwisterState): Twister {
  const own = Uint32Array.from(words);
  let at = used;
  return {
    next() {
      if (at === size) {
        twist(own);
        at = 0;
      }
      return tempered(own[at++]!);
    },
    state: () => ({ words: Array.from(own), used: at }),
  };
}

/** The state after seeding with one word, as numpy's `seed` and torch's `manual_seed` do it. */
export function seedByWord(seed: number): TwisterState {
  const words = new Uint32Array(size);
  words[0] = seed;
  for (let i = 1; i < size; i++) {
    const before = words[i - 1]!;
    words[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  return { words: Array.from(words), used: size };
}

/** The state after seeding with several words, at least one, as Python's `seed` does it. */
export function seedByWords(key: readonly number[]): TwisterState {
  const words = Uint32Array.from(seedByWord(19650218).words);
  const mixed = (i: number, factor: number) => {
    const before = words[i - 1]!;
    return words[i]! ^ Math.imul(before ^ (before >>> 30), factor);
  };
  let i = 1;
  const forward = () => {
    if (++i < size) return;
    words[0] = words[size - 1]!;
    i = 1;
  };
  for (let k = 0; k < Math.max(size, key.length); k++) {
    const j = k % key.length;
    words[i] = mixed(i, 1664525) + key[j]! + j;
    forward();
  }
  for (let k = 1; k < size; k++) {
    words[i] = mixed(i, 1566083941) - i;
    forward();
  }
  words[0] = 0x80000000;
  return { words: Array.from(words), used: size };
}

function twist(words: Uint32Array): void {
  for (let i = 0; i < size; i++) {
    const y = (words[i]! & 0x80000000) | (words[(i + 1) % size]! & 0x7fffffff);
    words[i] = words[(i + middle) % size]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}

function tempered(word: number): number {
  let y = word;
  y ^= y >>> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return (y ^ (y >>> 18)) >>> 0;
}
