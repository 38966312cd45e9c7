/** Fetching the images of a list. */
import {
  anyFunction,
  boolean,
  count,
  integer,
  listOf,
  number,
  oneOf,
  optional,
  string,
  text,
} from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import type { ConnectOptions } from "../net/connect.node.js";
import type { ColumnNames } from "../pack/columns.js";
import type { FetchSummary } from "../pack/fetch.node.js";
import { columnNames, listReaders, storeReaders } from "./packData.node.js";
import { readOptions, signal } from "./readOptions.js";

export interface FetchDataOptions {
  /** Paths of lists with a column of addresses and one of captions: CSV, TSV, JSON Lines or Parquet. */
  readonly lists: readonly string[];
  /** The folder to write: not there yet, or empty, or what an earlier call with the same arguments has left. */
  readonly output: string;
  /**
   * What is written: `"shards"`, or `"folder"`, the images as files with `list.jsonl`, which `packData` reads. Default:
   * `"shards"`.
   */
  readonly as?: "shards" | "folder" | undefined;
  /** Rows of a shard; it has fewer samples where images cannot be fetched. Default: 1000. */
  readonly rowsPerShard?: number | undefined;
  /** Images that are fetched at a time. Default: 32. */
  readonly concurrency?: number | undefined;
  /** Bytes of an image file beyond which it is not fetched. Default: 32 MiB. */
  readonly maxBytes?: number | undefined;
  /** Seconds that an image may take, from the host's name to the last byte. Default: 20. */
  readonly maxSeconds?: number | undefined;
  /** How often an image is tried again where that may help: no answer, or status 429 or 5xx. Default: 1. */
  readonly retries?: number | undefined;
  /** Seconds before the first new try; they double with each further one. Default: 1. */
  readonly retrySeconds?: number | undefined;
  /** The work stops when so many images in a row get no answer of any server. Default: 500. */
  readonly maxUnreached?: number | undefined;
  /** Fetches from addresses that are not public too. Default: false. */
  readonly allowPrivateAddresses?: boolean | undefined;
  /** How images are stored, as for `packData`. Default: `"keep"`. */
  readonly encode?: "keep" | "jpeg" | "png" | undefined;
  /** Quality of JPEG, from 1 to 100. Default: 95. */
  readonly quality?: number | undefined;
  /** Images with a longer side, in pixels, are scaled down to it. Default: none are. */
  readonly maxSide?: number | undefined;
  /** The text of a sample in shards, with `{caption}` where it goes. Default: `"{caption}"`. */
  readonly template?: string | undefined;
  /** Names of the columns by what they are: `{ url: "URL", caption: "TEXT" }`. Default: names in common use. */
  readonly columns?: ColumnNames | undefined;
  /** What parts the fields of CSV. Default: found by the first line. */
  readonly delimiter?: string | undefined;
  /** Whether CSV begins with a line of names. Default: true. */
  readonly header?: boolean | undefined;
  /** The random seed of the samples' keys. Default: 0. */
  readonly seed?: number | undefined;
  /** Stops the work, which goes on from there when it is begun again. */
  readonly signal?: AbortSignal | undefined;
  /** Called with rows that are done, and as many as there are (`fetching`). */
  readonly onProgress?: Progress | undefined;
}

const readers = {
  lists: listOf(text, 1),
  output: text,
  as: optional(oneOf("shards", "folder"), "shards"),
  rowsPerShard: optional(integer(1, 1_000_000), 1000),
  concurrency: optional(integer(1, 1024), 32),
  maxBytes: optional(count(1), 32 * 2 ** 20),
  maxSeconds: optional(number(0, 86_400, { above: true }), 20),
  retries: optional(integer(0, 10), 1),
  retrySeconds: optional(number(0, 3600), 1),
  maxUnreached: optional(count(1), 500),
  allowPrivateAddresses: optional(boolean, false),
  ...storeReaders,
  template: optional(string, "{caption}"),
  ...listReaders,
  seed: optional(count(0), 0),
  signal,
  onProgress: optional(anyFunction<Progress>()),
};

/**
 * Downloads the images of a list, each once, into shards or a folder. Work that is stopped, by whatever means, goes on
 * when it is begun again with the same arguments; limits and the number of connections may differ.
 *
 * Addresses that are not public are rejected after their names are resolved. Images that cannot be fetched, or that are
 * none, are counted by cause in the result, which is also written to `index.json` in the folder.
 *
 * @param network how names are resolved and connections made, for tests
 * @throws OpenFlamingoError `network` (no image was fetched, or none any more), `data-missing`, `data-invalid`,
 *   `usage`, `disk`; the signal's reason
 * @example
 * const { samples, skipped } = await fetchData({ lists: ["laion.parquet"], output: "shards", maxSide: 512 });
 */
export async function fetchData(
  options: FetchDataOptions,
  network: Pick<ConnectOptions, "resolve" | "connect"> = {},
): Promise<FetchSummary> {
  const read = readOptions("fetchData", readers, options);
  const { columns, delimiter, header, rowsPerShard, maxUnreached, encode, quality, maxSide, ...rest } = read;
  // With its readers of lists: nobody else should wait for them to be loaded.
  const { fetchList } = await import("../pack/fetch.node.js");
  return fetchList({
    ...rest,
    ...network,
    form: { delimiter, header },
    columns: columnNames(columns, "fetchData"),
    groupRows: rowsPerShard,
    mostUnreached: maxUnreached,
    store: { encode: encode ?? "keep", quality: quality ?? 95, ...(maxSide !== undefined && { maxSide }) },
  });
}
