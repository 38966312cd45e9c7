/** Fetches the images of a list: many at a time, each once, whatever stops the work in between. */
import { readFile, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import type { Progress } from "../base/progress.js";
import { inBlocks } from "./blocks.js";
import { withoutDuplicates } from "./captions.node.js";
import type { ColumnNames } from "./columns.js";
import {
  type DoneRow,
  type FinishOptions,
  finishGroup,
  type ListedRow,
  listName,
  partOf,
  tidyGroup,
  writeList,
} from "./fetchGroups.node.js";
import { type FetchImageOptions, fetchImage, type Turn, unreached } from "./fetchImage.node.js";
import {
  type FetchState,
  fetchJournal,
  type Group,
  type Outcome,
  openFetchState,
} from "./fetchState.node.js";
import { digestOf, withOutput } from "./output.node.js";
import { textRows } from "./pack.node.js";
import { patternOf, type Shard } from "./packShards.node.js";
import { storeImage } from "./readImage.node.js";
import { isBad, type ListForm } from "./rows.js";
import { type Counts, sumOf } from "./tally.js";

export interface FetchWork extends FetchImageOptions, FinishOptions {
  readonly form: ListForm;
  readonly columns: ColumnNames;
  /** Rows of a group: of a shard, if all of them can be fetched. */
  readonly groupRows: number;
  /** Images that are fetched at a time. */
  readonly concurrency: number;
  /** After so many images in a row without an answer of any server the work stops. */
  readonly mostUnreached: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** What was fetched: `index.json` of the folder. */
export interface FetchSummary {
  readonly format: "openflamingo-shards" | "openflamingo-images";
  readonly version: 1;
  readonly kind: "image-text";
  /** The names of all shards, `{00000..00041}.tar`, or the list of the images, `list.jsonl`. */
  readonly pattern: string;
  readonly rows: number;
  readonly samples: number;
  /** Of the shards, or of the images. */
  readonly bytes: number;
  /** Rows without an image, by cause. */
  readonly skipped: Counts;
  readonly warnings: Counts;
  readonly shards: readonly Shard[];
}

/**
 * @throws OpenFlamingoError `network` where no image could be fetched; `data-missing`, `data-invalid`, `usage`, `disk`;
 *   the signal's reason
 */
export async function fetchList(work: FetchWork): Promise<FetchSummary> {
  const { output, lists, as, form, columns, template, seed, store, groupRows, signal } = work;
  const digests: string[] = [];
  for (const list of lists) digests.push(await digestOf(list, signal));
  const head = { format: 1, as, lists: digests, form, columns, template, seed, store, groupRows };
  let parts = 0;
  const summary = await withOutput(output, { head, journal: fetchJournal, signal }, async () => {
    const check = async (path: string) => {
      const file = await readFile(path).catch(() => new Uint8Array());
      return storeImage(file, { ...store, encode: "keep", maxSide: undefined }, signal);
    };
    const state = await openFetchState(output, head, { groupRows, check });
    try {
      const rows = await fetchRows(work, state);
      if (as === "folder") await writeList(output, state.groups.length);
      parts = state.groups.length;
      const summary = summaryOf(work, state.groups, rows);
      if (summary.samples === 0) {
        // Begun again, it tries all of them again.
        await rm(join(output, fetchJournal), { force: true });
        await rm(join(output, "images"), { recursive: true, force: true });
        await rm(join(output, listName), { force: true });
        throw nothing(summary);
      }
      return summary;
    } finally {
      await state.close();
    }
  });
  if (as === "folder") {
    for (let group = 0; group < parts; group++) await rm(join(output, partOf(group)), { force: true });
  } else await rm(join(output, "images"), { recursive: true, force: true });
  return summary;
}

/** A group whose rows are being fetched. */
interface OpenGroup {
  readonly rows: DoneRow[];
  pending: number;
  /** Whether all its rows have been handed out. */
  isWhole: boolean;
  /** Addresses that are there twice are fetched once. */
  readonly byUrl: Map<string, Promise<Outcome>>;
}

/** @returns the number of rows */
async function fetchRows(work: FetchWork, state: FetchState): Promise<number> {
  const { lists, columns, form, groupRows, concurrency, mostUnreached, onProgress } = work;
  const stop = new AbortController();
  const signal = work.signal ? AbortSignal.any([work.signal, stop.signal]) : stop.signal;
  let [read, given, done, unanswered] = [0, 0, 0, 0];
  const rows = inBlocks(withoutDuplicates(textRows(lists, ["url", "caption"], columns, form)), {
    seed: undefined,
    rows: 200_000,
    onRead: (count) => (read = count),
  });
  const open = new Map<number, OpenGroup>();
  const turn = turns(availableParallelism());
  let shards = state.groups.filter(({ file }) => file !== undefined).length;
  const skipRows = state.groups.length * groupRows;

  let finishing: Promise<void> = Promise.resolve();
  /** Groups are finished in their order, so that shards have the same numbers whoever was first. */
  const finishReady = (): Promise<void> => {
    finishing = finishing.then(async () => {
      for (;;) {
        const group = state.groups.length;
        const ready = open.get(group);
        if (!ready?.isWhole || ready.pending > 0) return;
        signal.throwIfAborted();
        const finished = await finishGroup(group, ready.rows, shards, work);
        if (finished.file !== undefined) shards++;
        await state.finish(finished);
        await tidyGroup(group, work);
        open.delete(group);
      }
    });
    return finishing;
  };

  let reading: Promise<unknown> = Promise.resolve();
  /** The next row, with its number; one caller at a time. */
  const next = (): Promise<{ row: ListedRow; index: number; group: OpenGroup } | undefined> => {
    const found = reading.then(async () => {
      for (;;) {
        signal.throwIfAborted();
        const row = await rows.next();
        if (row.done) {
          for (const group of open.values()) group.isWhole = true;
          return undefined;
        }
        const index = given++;
        if (index < skipRows) {
          done++;
          continue;
        }
        const number = Math.floor(index / groupRows);
        const group = open.get(number) ?? { rows: [], pending: 0, isWhole: false, byUrl: new Map() };
        open.set(number, group);
        group.pending++;
        if ((index + 1) % groupRows === 0) group.isWhole = true;
        return { row: row.value, index, group };
      }
    });
    reading = found.catch(() => {});
    return found;
  };

  const worker = async () => {
    for (let at = await next(); at !== undefined; at = await next()) {
      const { row, index, group } = at;
      const outcome = isBad(row) ? undefined : await outcomeOf(row.texts.url, index, group);
      group.rows[index % groupRows] = { row, ...(outcome && { outcome }) };
      group.pending--;
      onProgress?.(++done, Math.max(done, read), "fetching");
      await finishReady();
    }
    await finishReady();
  };
  const outcomeOf = async (url: string, index: number, group: OpenGroup): Promise<Outcome> => {
    const known = await state.outcomeOf(index);
    const first = group.byUrl.get(url);
    if (known || !first) {
      const mine = known ? Promise.resolve(known) : fetchOne(url, index);
      if (!first) group.byUrl.set(url, mine);
      return mine;
    }
    const same = await first;
    return "failed" in same ? state.keep(index, same.failed) : copyOf(same, index);
  };
  const fetchOne = async (url: string, index: number) => {
    const image = await fetchImage(url, work, turn, signal);
    const outcome = await state.keep(index, image);
    unanswered = typeof image === "string" && unreached.has(image) ? unanswered + 1 : 0;
    if (unanswered >= mostUnreached) throw networkDown(unanswered, image as string);
    return outcome;
  };
  const copyOf = async ({ file, width, height }: Exclude<Outcome, { failed: string }>, index: number) => {
    const extension = file.endsWith(".png") ? "png" : "jpg";
    const bytes = await readFile(join(work.output, file));
    return state.keep(index, { extension, bytes, width, height });
  };

  const workers = Array.from({ length: concurrency }, () =>
    worker().catch((error: unknown) => {
      // The others stop; what made them stop is what is reported.
      if (!stop.signal.aborted) stop.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers);
  await rows.return();
  work.signal?.throwIfAborted();
  if (results.some(({ status }) => status === "rejected")) throw stop.signal.reason;
  return given;
}

/** Lets so many pieces of work run at a time. */
function turns(most: number): Turn {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running < most) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

function summaryOf({ as }: FetchWork, groups: readonly Group[], rows: number): FetchSummary {
  const sum = (of: (group: Group) => number) => groups.reduce((total, group) => total + of(group), 0);
  const shards = groups.flatMap(({ file, samples, bytes, sha256 = "" }) =>
    file === undefined ? [] : [{ file, samples, bytes, sha256 }],
  );
  return {
    format: as === "shards" ? "openflamingo-shards" : "openflamingo-images",
    version: 1,
    kind: "image-text",
    pattern: as === "shards" ? patternOf(shards.length) : listName,
    rows,
    samples: sum(({ samples }) => samples),
    bytes: sum(({ bytes }) => bytes),
    skipped: sumOf(groups.map(({ skipped }) => skipped)),
    warnings: sumOf(groups.map(({ warnings }) => warnings)),
    shards,
  };
}

const networkDown = (count: number, cause: string): OpenFlamingoError =>
  new OpenFlamingoError(
    "network",
    `${count} images in a row could not be reached, the last one for ${cause}: the network seems to be down`,
    { hint: "Begin again when it is there: what was fetched is kept, and these are tried again." },
  );

function nothing({ rows, skipped }: FetchSummary): OpenFlamingoError {
  const causes = Object.entries(skipped).map(
    ([cause, { count, first }]) => `${cause} ${count} (${first[0]})`,
  );
  return new OpenFlamingoError(
    "network",
    `none of ${rows} images was fetched: ${causes.join(", ") || "the lists are empty"}`,
    {
      hint: "Check the connection, and which columns are read.",
    },
  );
}
