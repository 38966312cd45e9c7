/**
 * Byte-pair encoding of one word: its bytes, joined pair by pair, always the pair whose merge is the most important
 * and, among equals, the leftmost.
 *
 * Paper: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units" (arXiv:1508.07909).
 * A heap holds the pairs and a linked list the symbols, so that n bytes take n · log n steps.
 */
import type { TokenizerDescription } from "./tokenizerJson.js";

/** Words that are kept with their ids; when there are more, keeping starts anew. */
const keptWords = 10_000;
/** Longer words come back rarely, and engines keep the whole text alive that a long word was cut from. */
const keptLength = 12;

/** The ids of a word, which is a piece of text between two splits. Returned lists are shared: do not change them. */
export function createWordEncoder(
  bpe: Pick<TokenizerDescription, "letters" | "lastLetters" | "merges">,
): (word: string) => readonly number[] {
  const utf8 = new TextEncoder();
  const pairs = pairTable(bpe.merges);
  const kept = new Map<string, readonly number[]>();
  return (word) => {
    const known = kept.get(word);
    if (known) return known;
    const bytes = utf8.encode(word); // a lone surrogate becomes U+FFFD here
    const last = bytes.length - 1;
    const symbols = new Int32Array(bytes.length);
    for (let i = 0; i < last; i++) symbols[i] = bpe.letters[bytes[i]!]!;
    symbols[last] = bpe.lastLetters[bytes[last]!]!;
    const ids = merge(symbols, pairs);
    if (word.length <= keptLength) {
      if (kept.size >= keptWords) kept.clear();
      kept.set(word, ids);
    }
    return ids;
  };
}

interface PairTable {
  /** The place of a pair's merge, the most important being 0. */
  rank(left: number, right: number): number | undefined;
  /** The id that the merge of this rank makes. */
  merged(rank: number): number;
}

function pairTable(merges: Int32Array): PairTable {
  // A map for every left symbol: its keys are small integers, which engines hash fastest.
  const ranks: Map<number, number>[] = [];
  for (let i = 0; i < merges.length; i += 3) {
    const left = merges[i]!;
    ranks[left] ??= new Map();
    ranks[left].set(merges[i + 1]!, i / 3);
  }
  return {
    rank: (left, right) => ranks[left]?.get(right),
    merged: (rank) => merges[3 * rank + 2]!,
  };
}

/** Joins symbols until no pair has a merge. Changes `symbols`. */
function merge(symbols: Int32Array, pairs: PairTable): number[] {
  const n = symbols.length;
  const next = new Int32Array(n); // n: none
  const previous = new Int32Array(n); // -1: none
  const heap: number[] = []; // rank · n + place of the left symbol: the smallest is the next to join
  const offer = (place: number) => {
    const right = next[place]!;
    const rank = right < n ? pairs.rank(symbols[place]!, symbols[right]!) : undefined;
    if (rank !== undefined) push(heap, rank * n + place);
  };
  for (let place = 0; place < n; place++) {
    next[place] = place + 1;
    previous[place] = place - 1;
    offer(place);
  }

  while (heap.length > 0) {
    const least = pop(heap);
    const left = least % n;
    const rank = (least - left) / n;
    const right = next[left]!;
    // Either symbol may have been joined to another since (a joined right symbol becomes -1).
    if (right === n || pairs.rank(symbols[left]!, symbols[right]!) !== rank) continue;
    symbols[left] = pairs.merged(rank);
    symbols[right] = -1;
    next[left] = next[right]!;
    if (next[left]! < n) previous[next[left]!] = left;
    if (previous[left]! >= 0) offer(previous[left]!);
    offer(left);
  }

  const ids: number[] = [];
  for (let place = 0; place < n; place = next[place]!) ids.push(symbols[place]!);
  return ids;
}

/** Adds a number to a binary heap, smallest first. */
function push(heap: number[], key: number): void {
  let place = heap.push(key) - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[place] = heap[parent]!;
    place = parent;
  }
  heap[place] = key;
}

/** Takes the smallest number out of a heap that is not empty. */
function pop(heap: number[]): number {
  const least = heap[0]!;
  const key = heap.pop()!;
  const n = heap.length;
  if (n === 0) return least;
  let place = 0;
  for (let child = 1; child < n; child = 2 * place + 1) {
    if (child + 1 < n && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= key) break;
    heap[place] = heap[child]!;
    place = child;
  }
  heap[place] = key;
  return least;
}
