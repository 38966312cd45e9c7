/**
 * Which shards are read, by whom and in which order. Everything here is a pure function of its arguments, so that every
 * process of a run computes the same, and a resumed run as well.
 *
 * Reference: open_flamingo/train/data.py and data_utils.py (`detshuffle2`, `ResampledShards2`), webdataset 0.2.48.
 */
import { pythonRandom } from "../base/pythonRandom.js";
import { shuffled } from "./shuffle.js";

/** One of several that share the work. */
export interface Share {
  /** This process, from 0. */
  readonly rank: number;
  /** How many processes there are. */
  readonly worldSize: number;
  /** This worker of the process, from 0. Default: 0. */
  readonly worker?: number | undefined;
  /** How many workers each process has. Default: 1. */
  readonly workers?: number | undefined;
}

/** The buffer through which shards are shuffled, in the reference implementation too. */
const shardShuffle = { size: 2000, initial: 500 };

/**
 * The items in the order of one pass.
 *
 * @param seed a whole number from 0
 * @param pass which pass it is, from 0: each has an order of its own
 */
export function shardOrder<T>(
  shards: readonly T[],
  {
    seed,
    pass,
    size = shardShuffle,
  }: { readonly seed: number; readonly pass: number; readonly size?: typeof shardShuffle },
): T[] {
  const { below } = pythonRandom(seed + pass);
  return [...shuffled(shards, { ...size, below })];
}

/**
 * Shards drawn with replacement, without an end; only those that are read are drawn.
 *
 * @param seed of the one who draws: each rank and worker has its own
 */
export function* resampledShards<T>(
  shards: readonly T[],
  { seed, pass }: { readonly seed: number; readonly pass: number },
): Generator<T, never> {
  const { below } = pythonRandom(seed + pass);
  for (;;) yield shards[below(shards.length)]!;
}

/** Those that one rank and worker reads: every n-th of the ranks', then of the workers'. */
export function splitShards<T>(
  shards: readonly T[],
  { rank, worldSize, worker = 0, workers = 1 }: Share,
): T[] {
  return shards.filter((_, i) => i % worldSize === rank && Math.floor(i / worldSize) % workers === worker);
}

export interface EpochSize {
  /** Of each worker; a process without workers of its own counts as one. */
  readonly workerBatches: number;
  /** Of each rank. */
  readonly batches: number;
  /** Of all ranks. */
  readonly samples: number;
}

/**
 * How many batches an epoch of so many samples has, the same for every rank and worker.
 *
 * @param samples wanted, of all ranks together
 * @param options.batch samples of a batch of one rank
 * @param options.down whether what does not divide is left out, in place of rounding up. Default: false.
 */
export function epochSize(
  samples: number,
  {
    batch,
    worldSize,
    workers = 1,
    down = false,
  }: {
    readonly batch: number;
    readonly worldSize: number;
    readonly workers?: number | undefined;
    readonly down?: boolean | undefined;
  },
): EpochSize {
  const round = down ? Math.floor : Math.ceil;
  const each = Math.max(1, workers);
  const ofAll = batch * worldSize;
  const workerBatches = round(round(samples / ofAll) / each);
  const batches = workerBatches * each;
  return { workerBatches, batches, samples: batches * ofAll };
}
