/** Rows in an order drawn by a seed, with no more of them in memory than a block. */
import { randomStream } from "../base/random.js";

export interface BlockOptions {
  /** Draws the order of the rows of a block; undefined: they stay in their order. */
  readonly seed: number | undefined;
  /** The most rows of a block, and the most bytes of them, as rows count themselves. */
  readonly rows?: number | undefined;
  readonly bytes?: number | undefined;
  /** Called with the number of rows that have been read, after each block. */
  readonly onRead?: ((rows: number) => void) | undefined;
}

/**
 * Reads a block of rows, gives it in an order that depends on the seed alone, and goes on with the next block: a list
 * that is one block, 2 million rows or 512 MiB, is shuffled as a whole.
 */
export async function* inBlocks<R extends { readonly bytes: number }>(
  rows: AsyncIterable<R>,
  { seed, rows: most = 2_000_000, bytes: mostBytes = 512 * 2 ** 20, onRead }: BlockOptions,
): AsyncGenerator<R, void> {
  const random = seed === undefined ? undefined : randomStream(seed, "order of samples");
  let drawn = 0;
  let read = 0;
  // Fisher and Yates's way; what has been given is let go of.
  function* given(kept: R[]): Generator<R, void> {
    read += kept.length;
    onRead?.(read);
    if (!random) kept.reverse();
    while (kept.length > 0) {
      const at = random ? Math.floor(random.uniform(drawn++) * kept.length) : kept.length - 1;
      const row = kept[at]!;
      kept[at] = kept.at(-1)!;
      kept.pop();
      yield row;
    }
  }
  let kept: R[] = [];
  let bytes = 0;
  for await (const row of rows) {
    kept.push(row);
    bytes += row.bytes;
    if (kept.length < most && bytes < mostBytes) continue;
    yield* given(kept);
    kept = [];
    bytes = 0;
  }
  yield* given(kept);
}
