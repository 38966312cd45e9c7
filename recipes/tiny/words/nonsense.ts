/** Made-up names: what a model never read in training, to be learnt from a prompt alone. */

/** Whose names: those that training says, and those that only tests do. */
export const splits = ["train", "test"] as const;
export type Split = (typeof splits)[number];

const onsets = [
  "b",
  "d",
  "f",
  "g",
  "k",
  "l",
  "m",
  "n",
  "p",
  "r",
  "s",
  "t",
  "v",
  "w",
  "z",
  "bl",
  "dr",
  "kl",
  "pr",
  "tr",
];
const vowels = ["a", "e", "i", "o", "u"];
const codas = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "t", "x", "z"];
const endings = ["bo", "di", "ga", "ku", "le", "mi", "no", "pa", "ra", "so", "to", "vu", "zi"];

/** English words that the syllables make, beside the recipe's own. */
const otherWords = new Set(
  (
    "bad bag bat bed bet bid big bit bob bog bom box bud bug bun but dad dam den did dig dim din dip dot dub dug " +
    "fab fad fan fat fed fen fib fig fin fit fix fog fox fun gab gag gap gas gel get gig gin god got gum gun gut kid " +
    "kin kit lab lad lag lap led leg let lid lip lit log lot lug mad man map mat max men met mid mix mob mom mop mud mug " +
    "nab nag nan nap net nib nil nip nod not nun nut pad pal pan pat peg pen pet pig pin pit pod pop pot pub pun put " +
    "rag ram ran rap rat red rib rid rig rim rip rob rod rot rub rug rum run rut sad sag sap sat set sex sin sip sit six " +
    "sob sod sub sum sun tab tag tan tap tax ten tig til tin tip tom ton top tub tug van vat vet vex wag wan wax web wed " +
    "wet wig win wit won zap zen zip bled blob blot blub drab drag drip drop drug drum drunk klan plan pram prep prim prod " +
    "prop trap trim trip trod trot tram trek dino disco limbo lego logo solo bingo tango mango veto demo memo mega mimi"
  ).split(" "),
);

/** Beginnings that a reader may take for a swear word. */
const rude =
  /^(?:f[aiou][kg]|n[ei]g|t[iu][tr]|[dk][iou][kmn]|klan|kra|p[iou][sx]|vag|[kg]ap|sl[au]|pr?i[kp]|wo[pg]|lez)/;

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
      !otherWords.has(name) &&
      !rude.test(name) &&
      share(name) < testShare === (split === "test"),
  );
}

/** Of all names, those that are kept for tests. */
const testShare = 0.25;

/** The words of names, for `nonsenseNames`. */
export const wordsOf = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.toLowerCase().match(/\p{L}+/gu) ?? []);
