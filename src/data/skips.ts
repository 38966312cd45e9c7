/**
 * What is left out of training, counted by cause and shard, and when too much of it is wrong to go on.
 *
 * A *rejection* is a sample that the rules leave out, as MMC4's do with more than half of all documents: that is normal.
 * A *fault* is data that cannot be used: above a share of them the run stops.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";

/** Data that cannot be used. */
export type Fault =
  | "shard-missing" // it is not there, or cannot be fetched
  | "shard-damaged" // it is cut off or corrupt: what came before that is used
  | "too-large" // a file beyond the limit
  | "incomplete" // text or image is missing
  | "text-invalid" // not UTF-8
  | "document-invalid" // not JSON, or without what a document has
  | "image-unreadable";

/** What the rules leave out. */
export type Rejection =
  | "no-images" // none is there, large enough and like any sentence
  | "too-few-images" // after the text was cut to its length
  | "one-image" // documents with one image are dropped at random
  | "image-at-end"; // the one image has nothing after it to be learnt

export type SkipCause = Fault | Rejection;

const faults: ReadonlySet<SkipCause> = new Set<Fault>([
  "shard-missing",
  "shard-damaged",
  "too-large",
  "incomplete",
  "text-invalid",
  "document-invalid",
  "image-unreadable",
]);

export const isFault = (cause: SkipCause): cause is Fault => faults.has(cause);
const isOfShard = (cause: SkipCause) => cause === "shard-missing" || cause === "shard-damaged";

/** One thing that was left out. */
export interface Skip {
  readonly cause: SkipCause;
  readonly shard: string;
  /** The sample's name in its shard; undefined where it is the shard itself. */
  readonly key: string | undefined;
  /** What was wrong, for people. */
  readonly what: string;
}

/** How many, by cause. */
export type SkipCounts = { readonly [cause in SkipCause]?: number };

export interface FaultLimit {
  /** The run stops when more than this share of the samples, or of the shards, has faults. Default: 0.1. */
  readonly share: number;
  /** But not before so many samples have. Default: 100. */
  readonly samples: number;
  /** But not before so many shards have. Default: 3. */
  readonly shards: number;
}

export const defaultFaultLimit: FaultLimit = { share: 0.1, samples: 100, shards: 3 };

export interface SkipBook {
  /** Another sample was looked at. */
  sawSample(): void;
  /** A shard was opened; again is not once more. */
  sawShard(name: string): void;
  /** @throws OpenFlamingoError `data-invalid` when too much of the data has faults */
  skip(skip: Skip): void;
  /** Of all shards together. */
  counts(): SkipCounts;
  /** By shard, for those of which anything was left out. */
  byShard(): ReadonlyMap<string, SkipCounts>;
}

/** @param earlier what a run that goes on has counted already; faults before do not stop it */
export function createSkipBook(
  limit: FaultLimit = defaultFaultLimit,
  {
    onSkip,
    earlier = {},
  }: { readonly onSkip?: ((skip: Skip) => void) | undefined; readonly earlier?: SkipCounts | undefined } = {},
): SkipBook {
  const all: { [cause in SkipCause]?: number } = { ...earlier };
  const shards = new Map<string, { [cause in SkipCause]?: number }>();
  const samples = { seen: 0, faulty: 0 };
  // A damaged shard is met again in each pass.
  const opened = new Set<string>();
  const faulty = new Set<string>();
  return {
    sawSample: () => void samples.seen++,
    sawShard: (name) => void opened.add(name),
    skip(skip) {
      const { cause, shard } = skip;
      const own = shards.get(shard) ?? {};
      shards.set(shard, own);
      own[cause] = (own[cause] ?? 0) + 1;
      all[cause] = (all[cause] ?? 0) + 1;
      onSkip?.(skip);
      if (!isFault(cause)) return;
      const isShard = isOfShard(cause);
      if (isShard) faulty.add(shard);
      else samples.faulty++;
      const [count, least, seen] = isShard
        ? [faulty.size, limit.shards, opened.size]
        : [samples.faulty, limit.samples, samples.seen];
      if (count >= least && count > limit.share * seen) {
        throw tooManyFaults(isShard ? "shard" : "sample", count, seen, shards, skip);
      }
    },
    counts: () => ({ ...all }),
    byShard: () => shards,
  };
}

function tooManyFaults(
  kind: "sample" | "shard",
  faulty: number,
  seen: number,
  shards: ReadonlyMap<string, SkipCounts>,
  { shard, key, what }: Skip,
): OpenFlamingoError {
  const counts: { [cause in SkipCause]?: number } = {};
  for (const own of shards.values()) {
    for (const [cause, count] of Object.entries(own) as [SkipCause, number][]) {
      if (isFault(cause)) counts[cause] = (counts[cause] ?? 0) + count;
    }
  }
  const list = Object.entries(counts).map(([cause, count]) => `${count} ${cause}`);
  const last = key === undefined ? shard : `${shard}, sample ${quoted(key)}`;
  return new OpenFlamingoError(
    "data-invalid",
    `the data: ${faulty} of ${seen} ${kind}s cannot be used (${list.join(", ")}); the last one, ${last}: ${what}`,
    {
      hint: "Look at the shards that are named. Raise the limit of faults if so many are expected.",
      data: { faulty, seen, counts, shard, key },
    },
  );
}
