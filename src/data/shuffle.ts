/**
 * Shuffling what comes in a stream: a buffer fills, and one of it is picked at random whenever something is wanted.
 *
 * Reference: webdataset 0.2.48, `shuffle` and `detshuffle`.
 */

export interface ShuffleSize {
  /** The most items in the buffer. */
  readonly size: number;
  /** Nothing is picked before so many are in it; at most `size`. */
  readonly initial: number;
}

/** How many items are taken in before the next pick, as long as there are any: 1 or 2, or more at the beginning. */
export function itemsToTake(inBuffer: number, { size, initial }: ShuffleSize): number {
  let count = 0;
  do {
    count++;
    // A buffer that is not full grows: two come for one that goes.
    if (inBuffer + count < size) count++;
  } while (inBuffer + count < Math.min(initial, size));
  return count;
}

/** Takes item `at` out of the buffer; the last one takes its place. */
export function take<T>(buffer: T[], at: number): T {
  const item = buffer[at]!;
  const last = buffer.pop()!;
  if (at < buffer.length) buffer[at] = last;
  return item;
}

/**
 * All items in another order.
 *
 * @param below a random whole number from 0 to below its argument
 */
export function* shuffled<T>(
  items: Iterable<T>,
  { below, ...size }: ShuffleSize & { readonly below: (count: number) => number },
): Generator<T, void> {
  const buffer: T[] = [];
  const source = items[Symbol.iterator]();
  for (let hasMore = true; hasMore || buffer.length > 0; ) {
    for (let count = hasMore ? itemsToTake(buffer.length, size) : 0; count > 0 && hasMore; count--) {
      const next = source.next();
      if (next.done) hasMore = false;
      else buffer.push(next.value);
    }
    if (buffer.length > 0) yield take(buffer, below(buffer.length));
  }
}
