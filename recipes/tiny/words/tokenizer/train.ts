/**
 * Trains byte-level BPE: from how often each word is there to the merges, the most important first.
 *
 * Paper: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (arXiv:1508.07909).
 * Words are counted once and merged as kinds, so that a corpus of any length takes seconds. Equal counts are decided by
 * the tokens' letters: the result is the same in whatever order the words came.
 */
import { byteAlphabet } from "../../../../src/text/byteAlphabet.js";

export interface Merges {
  /** The letters of all 256 bytes, in the order of their code points. */
  readonly letters: readonly string[];
  /** Left and right token of each merge. */
  readonly merges: readonly (readonly [left: string, right: string])[];
}

/**
 * @param words how often each word is there, a word as the pre-tokenizer cuts it, with the space before it
 * @param count how many merges there are to be; there are fewer where no pair is left
 */
export function trainMerges(words: ReadonlyMap<string, number>, count: number): Merges {
  const alphabet = byteAlphabet();
  const utf8 = new TextEncoder();
  const kinds = [...words].map(([word, times]) => ({
    times,
    tokens: Array.from(utf8.encode(word), (byte) => alphabet[byte]!),
  }));
  const pairs = new Map<string, { times: number; readonly in: Set<number> }>();
  const add = (kind: number, sign: 1 | -1) => {
    const { tokens, times } = kinds[kind]!;
    for (let i = 1; i < tokens.length; i++) {
      const key = `${tokens[i - 1]!} ${tokens[i]!}`;
      const pair = pairs.get(key) ?? { times: 0, in: new Set<number>() };
      pair.times += sign * times;
      if (sign > 0) pair.in.add(kind);
      pairs.set(key, pair);
    }
  };
  kinds.forEach((_, kind) => {
    add(kind, 1);
  });

  const merges: (readonly [string, string])[] = [];
  while (merges.length < count) {
    const key = mostFrequent(pairs);
    if (key === undefined) break;
    const [left, right] = key.split(" ") as [string, string];
    merges.push([left, right]);
    for (const kind of pairs.get(key)!.in) {
      add(kind, -1);
      kinds[kind]!.tokens = joined(kinds[kind]!.tokens, left, right);
      add(kind, 1);
    }
    pairs.delete(key);
  }
  return { letters: [...alphabet].sort(byCodeUnits), merges };
}

/** Not `localeCompare`, whose order depends on the machine. */
const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function mostFrequent(pairs: ReadonlyMap<string, { readonly times: number }>): string | undefined {
  let [best, most] = ["", 0];
  for (const [key, { times }] of pairs) {
    if (times > most || (times === most && times > 0 && byCodeUnits(key, best) < 0))
      [best, most] = [key, times];
  }
  return most > 0 ? best : undefined;
}

function joined(tokens: readonly string[], left: string, right: string): string[] {
  const result: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === left && tokens[i + 1] === right) {
      result.push(left + right);
      i++;
    } else result.push(tokens[i]!);
  }
  return result;
}
