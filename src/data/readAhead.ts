/** Having the next items ready before they are asked for, and knowing how long one waited for them all the same. */

/**
 * The items of a source, of which up to `count` are worked on ahead. They come in their order.
 *
 * @param stop called when the reader stops early: what is worked on is then no longer wanted
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T, void>,
  { count, stop }: { readonly count: number; readonly stop: () => void },
): AsyncGenerator<T, void> {
  const ahead: Promise<IteratorResult<T, void>>[] = [];
  const ask = () => {
    const next = source.next();
    next.catch(() => {}); // it is seen when its turn comes
    ahead.push(next);
  };
  try {
    for (;;) {
      // One more than `count`: the one that is waited for.
      while (ahead.length <= count) ask();
      const { value, done } = await ahead.shift()!;
      if (done) return;
      yield value;
    }
  } finally {
    stop();
    await Promise.allSettled([...ahead, source.return()]);
  }
}

/** How long a reader waited. */
export interface Waiting {
  /** Seconds spent in waiting for the next item. */
  readonly seconds: number;
  /** Their share of all seconds since the first item came, from 0 to 1. What the first one took is not counted. */
  readonly share: number;
}

/** The same items, with a clock that runs while the reader waits. @param now seconds */
export function timed<T>(
  items: AsyncGenerator<T, void>,
  now: () => number = () => performance.now() / 1000,
): { readonly items: AsyncGenerator<T, void>; readonly waiting: () => Waiting } {
  let start: number | undefined;
  let [waited, last] = [0, 0];
  async function* read() {
    try {
      for (;;) {
        const asked = now();
        const { value, done } = await items.next();
        last = now();
        if (start === undefined) start = last;
        else waited += last - asked;
        if (done) return;
        yield value;
      }
    } finally {
      await items.return();
    }
  }
  const waiting = () => ({ seconds: waited, share: waited === 0 ? 0 : waited / (last - start!) });
  return { items: read(), waiting };
}
