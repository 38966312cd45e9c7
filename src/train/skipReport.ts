/** What a run tells of data that were left out: faults when they come and when they have doubled, all of them at the end. */

import { isFault, type Skip, type SkipCause } from "../data/skips.js";
import { described } from "../data/trainingData.node.js";

export interface SkipReport {
  /** Notes one thing that was left out. */
  saw(skip: Skip): void;
  /** Tells of the faults so far, where they are the first or twice as many as were told of. */
  tell(): void;
  /** Tells of everything, what the rules leave out as well, if anything was left out. */
  end(): void;
}

/** Shards that a message names; they are as many as a user would look at. */
const shownShards = 5;

export function createSkipReport(onNotice: (text: string) => void): SkipReport {
  const counts = new Map<SkipCause, Map<string, number>>();
  let faults = 0;
  let told = 0;
  const list = (chosen: (cause: SkipCause) => boolean) =>
    [...counts]
      .filter(([cause]) => chosen(cause))
      .map(([cause, shards]) => ofCause(cause, shards))
      .join("; ");
  return {
    saw({ cause, shard }) {
      const shards = counts.get(cause) ?? new Map<string, number>();
      counts.set(cause, shards);
      shards.set(shard, (shards.get(shard) ?? 0) + 1);
      if (isFault(cause)) faults++;
    },
    tell() {
      if (faults === 0 || faults < 2 * told) return;
      told = faults;
      onNotice(`left out of the data so far: ${list(isFault)}`);
    },
    end() {
      if (faults > told) onNotice(`left out of the data: ${list(isFault)}`);
      told = faults;
      const byRule = list((cause) => !isFault(cause));
      if (byRule !== "") onNotice(`left out by the rules of the data: ${byRule}`);
    },
  };
}

function ofCause(cause: SkipCause, shards: ReadonlyMap<string, number>): string {
  const most = [...shards].sort(([, a], [, b]) => b - a);
  const shown = most.slice(0, shownShards).map(([shard, count]) => `${shard}: ${count}`);
  const more = most.length > shownShards ? ` and ${most.length - shownShards} more shards` : "";
  const all = most.reduce((sum, [, count]) => sum + count, 0);
  return `${all} × ${described(cause)} (${shown.join(", ")}${more})`;
}
