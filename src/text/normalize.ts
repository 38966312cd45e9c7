/**
 * What happens to a piece of text before it is cut into words: the normalizers of a `tokenizer.json`.
 *
 * They follow the Rust library's, which differ from JavaScript's in two places that are mended here.
 */

export type Normalizer =
  | { readonly kind: "nfc" }
  | { readonly kind: "lowercase" }
  | { readonly kind: "replace"; readonly pattern: RegExp; readonly content: string };

/** Applies the normalizers in their order. */
export function normalize(text: string, normalizers: readonly Normalizer[]): string {
  return normalizers.reduce(apply, text);
}

function apply(text: string, normalizer: Normalizer): string {
  switch (normalizer.kind) {
    case "nfc":
      return nfc(text);
    case "lowercase":
      // Letter by letter: toLowerCase() alone writes a sigma at a word's end as ς.
      return text.replaceAll("Σ", "σ").toLowerCase();
    case "replace":
      return text.replace(normalizer.pattern, () => normalizer.content);
  }
}

/** From this many combining marks in a row on, they are sorted here. No script comes near it. */
const longRun = 256;

/**
 * Unicode normalization form C in time that hardly more than doubles with twice the text.
 *
 * The engine's own takes the square of the number of marks after one letter (80,000: three seconds), unless they
 * are in canonical order already.
 */
function nfc(text: string): string {
  const sorted = text.replace(/\p{M}+/gu, (run) => (run.length < longRun ? run : sortMarks(run)));
  return sorted.normalize("NFC");
}

/** A run of combining marks in canonical order: each stretch without a starter sorted by combining class. */
function sortMarks(run: string): string {
  // Mark by mark: a mark may decompose into two of different classes.
  const marks = Array.from(run, (mark) => mark.normalize("NFD")).join("");

  // JavaScript has no table of classes, but the engine's reordering of two marks shows which class is greater.
  const isGreater = (a: string, b: string) => (a + b).normalize("NFD") !== a + b;
  const ascending = [...new Set(marks)]
    .filter((mark) => !isStarter(mark))
    .sort((a, b) => Number(isGreater(a, b)) - Number(isGreater(b, a)));
  const ranks = new Map<string, number>();
  let rank = 0;
  for (const [i, mark] of ascending.entries()) {
    if (i > 0 && isGreater(mark, ascending[i - 1]!)) rank++;
    ranks.set(mark, rank);
  }

  let sorted = "";
  let stretch: string[] = []; // one text for each class
  for (const mark of [...marks, ""]) {
    const place = ranks.get(mark);
    if (place === undefined) {
      sorted += stretch.join("") + mark;
      stretch = [];
    } else {
      stretch[place] = (stretch[place] ?? "") + mark;
    }
  }
  return sorted;
}

/** Whether a mark has class 0 and so never moves. U+0345 has the highest class of all: others move before it. */
const isStarter = (mark: string): boolean =>
  mark !== "\u0345" && `\u0345${mark}`.normalize("NFD") === `\u0345${mark}`;
