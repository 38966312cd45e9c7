/** The recipe's tokenizer: trained on the recipe's own text, the same file each time. */
import type { Thing } from "../../world/scene.js";
import { namesFor } from "../bindings.js";
import { textAt } from "../corpus.js";
import { counted, withArticle } from "../names.js";
import { splits } from "../nonsense.js";
import { countWords, tokenizerJson } from "./files.js";
import { trainMerges } from "./train.js";

export interface TokenizerOptions {
  readonly things: readonly Thing[];
  /** What photographs show, by name. Default: there are none. */
  readonly photographKinds?: readonly string[] | undefined;
  /** Of the text. A whole number from 0 to 2^53 − 1. */
  readonly seed: number;
  /** Tokens in all, with the three that every Flamingo adds. Default: 2560, from which on nearly every word of a name is one. */
  readonly size?: number | undefined;
  /** Texts whose words are counted. Default: 4000. */
  readonly texts?: number | undefined;
}

/** Special tokens of the file, those that a Flamingo adds, and the bytes. */
const withoutMerges = 2 + 3 + 256;

/** @returns what a `tokenizer.json` holds, about two seconds later */
export function trainTokenizer({ size = 2560, ...options }: TokenizerOptions) {
  const words = inPieces(countWords(corpus(options)), options.things);
  return tokenizerJson(trainMerges(words, size - withoutMerges));
}

function* corpus({ things, photographKinds = [], seed, texts = 4000 }: TokenizerOptions): Generator<string> {
  for (let i = 0; i < texts; i++) yield textAt({ things, photographKinds, seed }, i);
  // Every name, also of a thing that the texts hardly drew.
  const named = things.filter(({ isNamed }) => isNamed);
  for (let i = 0; i < timesOfNames; i++) {
    for (const { name } of named) yield ` ${counted(name, 1)} ${counted(name, 2)}`;
    for (const kind of photographKinds) yield ` ${withArticle(kind)}`;
  }
}

const timesOfNames = 10;

/**
 * Made-up names count as their beginning and their end: as whole words those of training would become tokens, and those
 * of tests would not.
 */
function inPieces(words: ReadonlyMap<string, number>, things: readonly Thing[]): Map<string, number> {
  const madeUp = new Set(splits.flatMap((split) => namesFor(things, split)));
  const counts = new Map<string, number>();
  const add = (word: string, times: number) => counts.set(word, (counts.get(word) ?? 0) + times);
  for (const [word, times] of words) {
    const isMadeUp = madeUp.has(word.trimStart());
    for (const piece of isMadeUp ? word.split(/(?<=[aeiou])/) : [word]) add(piece, times);
  }
  return counts;
}
