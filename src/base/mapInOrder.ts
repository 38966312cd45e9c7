/**
 * Work on many items, a few at a time, with results in the order of the items.
 *
 * Items are taken from their source only when there is room for them, so that an endless source is fine, and a slow
 * reader of the results slows the work down. When the reader stops early, or one item fails, the rest is aborted.
 *
 * @param width how many items are worked on at once, at least 1
 * @param work gets a signal that is aborted when its result is no longer wanted
 */
export async function* mapInOrder<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  width: number,
  work: (item: Item, index: number, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Result, void> {
  const unwanted = new AbortController();
  const atWork: Promise<Result>[] = [];
  let index = 0;
  try {
    for await (const item of items) {
      const result = work(item, index++, unwanted.signal);
      result.catch(() => {}); // a failure is seen when its turn comes; until then it is not an unhandled one
      atWork.push(result);
      if (atWork.length === width) yield await atWork.shift()!;
    }
    while (atWork.length > 0) yield await atWork.shift()!;
  } finally {
    unwanted.abort();
    await Promise.allSettled(atWork);
  }
}
