/** Rows → shards: samples are made several at a time, and written in the order of the rows. */
import { rm, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { onAbort } from "../base/abort.js";
import { isObject, type JsonObject } from "../base/json.js";
import { mapInOrder } from "../base/mapInOrder.js";
import type { Progress } from "../base/progress.js";
import { invalidData } from "./dataErrors.js";
import { type Journal, openJournal } from "./journal.node.js";
import { withOutput } from "./output.node.js";
import type { Made } from "./samples.node.js";
import { type Sample, shardName, type WrittenShard, writeShard } from "./shardFile.node.js";
import { type Counts, createTally, sumOf, type Tally } from "./tally.js";

/** A shard, as the index lists it. */
export interface Shard extends WrittenShard {
  readonly file: string;
}

/** What was packed: `index.json` of the folder. */
export interface PackSummary {
  readonly format: "openflamingo-shards";
  readonly version: 1;
  /** Whether samples are an image with a text, or documents with images in them. */
  readonly kind: "image-text" | "documents";
  /** The names of all shards: `{00000..00041}.tar`. */
  readonly pattern: string;
  readonly rows: number;
  readonly samples: number;
  readonly images: number;
  /** Of the shards. */
  readonly bytes: number;
  /** Rows without a sample, by cause. */
  readonly skipped: Counts;
  /** What training will not use, or not as it stands, by cause. */
  readonly warnings: Counts;
  readonly shards: readonly Shard[];
}

export interface PackShardsOptions<R> {
  readonly output: string;
  readonly kind: PackSummary["kind"];
  /** What the work is: lists by their hashes, and every option that changes what is written. */
  readonly head: JsonObject;
  /** All rows, always in the same order. */
  readonly rows: AsyncIterable<R>;
  /** How many rows there are, as far as that is known. */
  readonly total: () => number;
  readonly make: (row: R, signal: AbortSignal) => Promise<Made>;
  readonly samplesPerShard: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** What the journal says of a shard. */
interface Entry extends Shard {
  /** Rows of this shard and of all before. */
  readonly next: number;
  readonly images: number;
  readonly skipped: Counts;
  readonly warnings: Counts;
}

const journalName = "packing.jsonl";

/**
 * Packs what is not packed yet: work that was stopped goes on after its last complete shard.
 *
 * @throws OpenFlamingoError `usage` for a folder that holds something else; `data-invalid` where no row gives a sample;
 *   `disk`; what reading and making throw; the signal's reason
 */
export function packShards<R>(options: PackShardsOptions<R>): Promise<PackSummary> {
  const { output, head, signal } = options;
  return withOutput(output, { head, journal: journalName, signal }, async () => {
    const found: Entry[] = [];
    const journal = await openJournal(join(output, journalName), head, (entry) => {
      if (isObject(entry)) found.push(entry as unknown as Entry);
    });
    try {
      const before = await complete(output, found);
      const { entries, skipped, warnings, rows } = await pack(options, before, journal);
      const summary = summaryOf(options.kind, entries, { skipped, warnings, rows });
      if (summary.samples === 0) {
        await rm(join(output, journalName), { force: true });
        const causes = Object.entries(summary.skipped).map(
          ([cause, { count, first }]) => `${cause} ${count} (${first[0]})`,
        );
        throw invalidData(
          output,
          `none of ${rows} rows gives a sample: ${causes.join(", ") || "the lists are empty"}`,
          "Check the folder of the images, and which columns are read.",
        );
      }
      return summary;
    } finally {
      await journal.close();
    }
  });
}

/** The shards up to the first that is not there as it was written: what follows is written again, as it was. */
async function complete(output: string, entries: readonly Entry[]): Promise<readonly Entry[]> {
  for (const [i, { file, bytes }] of entries.entries()) {
    const found = file === shardName(i) ? await stat(join(output, file)).catch(() => undefined) : undefined;
    if (found?.size !== bytes) return entries.slice(0, i);
  }
  return entries;
}

async function pack<R>(
  { output, rows, total, make, samplesPerShard, signal, onProgress }: PackShardsOptions<R>,
  before: readonly Entry[],
  journal: Journal,
) {
  const entries = [...before];
  let done = before.at(-1)?.next ?? 0;
  const stop = new AbortController();
  const forget = onAbort(signal, () => stop.abort(signal?.reason));
  const all = mapInOrder(skipping(rows, done), 2 * availableParallelism(), (row) => make(row, stop.signal));
  let tallies = createTallies();
  const next = async (): Promise<Sample | undefined> => {
    for (;;) {
      signal?.throwIfAborted();
      const made = await all.next();
      signal?.throwIfAborted();
      if (made.done) return undefined;
      done++;
      onProgress?.(done, Math.max(done, total()), "packing");
      tallies.take(made.value);
      if (made.value.sample) return made.value.sample;
    }
  };
  try {
    for (;;) {
      let first = await next();
      if (first === undefined) break;
      const file = shardName(entries.length);
      let samples = 0;
      const written = await writeShard(join(output, file), async () => {
        const sample = first ?? (samples < samplesPerShard ? await next() : undefined);
        first = undefined;
        samples++;
        return sample;
      });
      const entry: Entry = { file, ...written, next: done, ...tallies.result() };
      await journal.append({ ...entry }, { sync: true });
      entries.push(entry);
      tallies = createTallies();
    }
  } finally {
    stop.abort();
    await all.return();
    forget();
  }
  // Rows after the last sample.
  const rest = tallies.result();
  return {
    entries,
    rows: done,
    skipped: sumOf([...entries.map(({ skipped }) => skipped), rest.skipped]),
    warnings: sumOf([...entries.map(({ warnings }) => warnings), rest.warnings]),
  };
}

function createTallies() {
  const [skipped, warnings]: readonly [Tally, Tally] = [createTally(), createTally()];
  let images = 0;
  return {
    take(made: Made) {
      if (made.skipped !== undefined) skipped.add(made.skipped, made.name);
      for (const [cause, name] of made.warnings) warnings.add(cause, name);
      if (made.sample) images += made.images;
    },
    result: () => ({ images, skipped: skipped.counts(), warnings: warnings.counts() }),
  };
}

async function* skipping<R>(rows: AsyncIterable<R>, count: number): AsyncGenerator<R, void> {
  let at = 0;
  for await (const row of rows) if (at++ >= count) yield row;
}

function summaryOf(
  kind: PackSummary["kind"],
  entries: readonly Entry[],
  { skipped, warnings, rows }: { readonly skipped: Counts; readonly warnings: Counts; readonly rows: number },
): PackSummary {
  const sum = (of: (entry: Entry) => number) => entries.reduce((total, entry) => total + of(entry), 0);
  return {
    format: "openflamingo-shards",
    version: 1,
    kind,
    pattern: patternOf(entries.length),
    rows,
    samples: sum(({ samples }) => samples),
    images: sum(({ images }) => images),
    bytes: sum(({ bytes }) => bytes),
    skipped,
    warnings,
    shards: entries.map(({ file, samples, bytes, sha256 }) => ({ file, samples, bytes, sha256 })),
  };
}

/** Names of so many shards, as trainers take them. */
export function patternOf(count: number): string {
  const name = (index: number) => shardName(index).replace(/\.tar$/, "");
  return count <= 1 ? shardName(0) : `{${name(0)}..${name(count - 1)}}.tar`;
}
