/** Counts by cause, with the names of the first of each. */

/** How often something happened, and to what at first. */
export interface Count {
  readonly count: number;
  /** The first five. */
  readonly first: readonly string[];
}

/** By cause. */
export type Counts = Readonly<Record<string, Count>>;

const mostNames = 5;

export interface Tally {
  add(cause: string, name: string): void;
  /** In the order of their first occurrence. */
  counts(): Counts;
}

export function createTally(): Tally {
  const found = new Map<string, { count: number; first: string[] }>();
  return {
    add(cause, name) {
      const of = found.get(cause) ?? { count: 0, first: [] };
      found.set(cause, of);
      of.count++;
      if (of.first.length < mostNames) of.first.push(name);
    },
    counts: () =>
      Object.fromEntries(
        [...found].map(([cause, { count, first }]) => [cause, { count, first: [...first] }]),
      ),
  };
}

/** Counts of several parts together. */
export function sumOf(parts: readonly Counts[]): Counts {
  const sum: Record<string, Count> = {};
  for (const part of parts) {
    for (const [cause, { count, first }] of Object.entries(part)) {
      const before = sum[cause] ?? { count: 0, first: [] };
      const names = [...before.first, ...first].slice(0, mostNames);
      sum[cause] = { count: before.count + count, first: names };
    }
  }
  return sum;
}

/** Of rows that were skipped, those with which something is wrong. */
export const badRows = (skipped: Counts): number =>
  Object.entries(skipped).reduce((sum, [cause, { count }]) => sum + (cause === "duplicate" ? 0 : count), 0);
