/** Made-up names: what a model never read in training, to be learnt from a prompt alone. */

import { englishWords } from "./englishWords.js";

/** Whose names: those that training says, and those that only tests do. */
export const splits = ["train", "test"] as const;
export type Split = (typeof splits)[number];

const onsets = "b d f g k l m n p r s t v w z bl dr kl pr tr".split(" ");
const vowels = ["a", "e", "i", "o", "u"];
const codas = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "t", "x", "z"];
const endings = ["bo", "di", "ga", "ku", "le", "mi", "no", "pa", "ra", "so", "to", "vu", "zi"];

/** Beginnings that a reader may take for a swear word. */
const rude =
  /^(?:f[aeiou][kg]|n[ei]g|t[iu][tr]|[dk][iou][kmn]|naz|su[kx]|puk|pak|ped|klan|kra|p[iou][sx]|vag|[kg]ap|sl[au]|pr?i[kp]|wo[pg]|lez)/;

/** FNV-1a, in [0, 1). */
function share(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  // The last step mixes the high bits, which the last letters hardly reach.
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return ((value ^ (value >>> 13)) >>> 0) / 2 ** 32;
}

/**
 * All made-up names of a split, in one order: one syllable ("dax") or two ("dakbo"). What a name belongs to depends on
 * its letters alone, so that the splits never meet, whatever else changes.
 *
 * @param words what no name may be: every word that the recipe says
 */
export function nonsenseNames(split: Split, words: Iterable<string>): readonly string[] {
  const taken = new Set(words);
  const stems = onsets.flatMap((onset) =>
    vowels.flatMap((vowel) => codas.map((coda) => onset + vowel + coda)),
  );
  const long = onsets.flatMap((onset) =>
    vowels.flatMap((vowel) => endings.map((end) => onset + vowel + end)),
  );
  return [...stems, ...long].filter(
    (name) =>
      !taken.has(name) &&
      !taken.has(`${name}s`) &&
      !englishWords.has(name) &&
      !rude.test(name) &&
      share(name) < testShare === (split === "test"),
  );
}

/** Of all names, those that are kept for tests. */
const testShare = 0.25;

/** The words of names, for `nonsenseNames`. */
export const wordsOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.toLowerCase().match(/\p{L}+/gu) ?? []);
