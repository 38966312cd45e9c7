/** `openflamingo data fetch LIST…`: downloads the images of a list into shards or a folder. */
import { join } from "node:path";
import { type Command, Option } from "commander";
import { type FetchDataOptions, fetchData } from "../api/fetchData.node.js";
import {
  type ListFlags,
  listOptions,
  listSettings,
  type StoreFlags,
  shownCounts,
  storeOptions,
} from "./dataOptions.js";
import { addOptions, count, number } from "./options.js";
import { createCountRate, shownBytes } from "./rate.js";
import { createTerminal } from "./terminal.js";

interface FetchFlags extends ListFlags, StoreFlags {
  readonly output: string;
  readonly as?: FetchDataOptions["as"];
  readonly rowsPerShard?: number;
  readonly concurrency?: number;
  readonly maxBytes?: number;
  readonly maxSeconds?: number;
  readonly retries?: number;
  readonly maxUnreached?: number;
  readonly allowPrivateAddresses?: true;
  readonly template?: string;
  readonly seed?: number;
  readonly json?: true;
  readonly quiet?: true;
}

export function dataFetch(parent: Command): void {
  const command = parent
    .command("fetch")
    .summary("download the images of a list")
    .description("Downloads the images of a list, which has a column of addresses and one of captions.")
    .argument("<list...>", "CSV, TSV, JSON Lines or Parquet files");
  addOptions(command, [
    new Option("--output <folder>", "the folder to write").makeOptionMandatory(),
    new Option(
      "--as <what>",
      "write shards, or a folder of images with list.jsonl (default: shards)",
    ).choices(["shards", "folder"]),
    new Option("--rows-per-shard <n>", "rows of a shard (default: 1000)").argParser(count(1)),
    new Option("--concurrency <n>", "how many images to fetch at a time (default: 32)").argParser(count(1)),
    new Option("--max-bytes <n>", "do not fetch larger files (default: 33554432)").argParser(count(1)),
    new Option("--max-seconds <x>", "give an image up after so many seconds (default: 20)").argParser(number),
    new Option("--retries <n>", "how often to try again where that may help (default: 1)").argParser(
      count(0),
    ),
    new Option(
      "--max-unreached <n>",
      "stop when so many images in a row get no answer of any server (default: 500)",
    ).argParser(count(1)),
    new Option("--allow-private-addresses", "fetch from addresses that are not public too"),
    new Option("--template <text>", 'the text of a sample in shards (default: "{caption}")'),
    new Option("--seed <n>", "random seed of the samples' keys (default: 0)").argParser(count(0)),
    ...listOptions(["url", "caption"]),
    ...storeOptions({ encode: "keep", quality: "95" }),
    new Option("--json", "one JSON object"),
    new Option("--quiet", "no progress and no notices"),
  ])
    .addHelpText(
      "after",
      `
Interrupted or killed, it goes on where it was when it is begun again, and fetches no image twice. Names are resolved
once, and addresses that are not public are rejected. Images that cannot be fetched are counted by cause.
With --json, the content of index.json: as of data pack, with "skipped" by what went wrong: "dns", "connection-rejected", "timeout",
"private-address", "status-404", "too-large", "not-an-image", and so on.

Examples:
  openflamingo data fetch laion.parquet --output shards --max-side 512 --quality 90
  openflamingo data fetch list.csv --url-column link --output photos --as folder
  openflamingo data pack --captions photos/list.jsonl --images photos --output shards`,
    )
    .action(async (lists: readonly string[], flags: FetchFlags) => {
      const { json = false, quiet = false, output, as, rowsPerShard, concurrency, ...rest } = flags;
      const terminal = createTerminal({ json, quiet });
      let progress = { done: 0, total: 0 };
      try {
        const shown = createCountRate();
        const { maxBytes, maxSeconds, retries, maxUnreached, allowPrivateAddresses, template, seed } = rest;
        const { encode, quality, maxSide } = rest;
        const summary = await fetchData({
          ...{ lists, output, as, rowsPerShard, concurrency, maxBytes, maxSeconds, retries, maxUnreached },
          ...{ allowPrivateAddresses, template, seed, encode, quality, maxSide },
          ...listSettings(rest),
          signal: terminal.signal,
          onProgress: (done, total, what) => {
            progress = { done, total };
            terminal.progress(what, done, total, () => shown(done, total));
          },
        });
        const failed = shownCounts("not fetched", summary.skipped);
        if (failed !== "") terminal.notice(failed);
        const { pattern, samples, rows, bytes } = summary;
        terminal.line(
          json
            ? JSON.stringify(summary)
            : `${join(output, pattern)}  ${samples.toLocaleString("en-US")} of ${rows.toLocaleString("en-US")} images, ${shownBytes(bytes)}`,
        );
        process.exitCode = terminal.stopped() ?? 0;
      } catch (error) {
        process.exitCode = terminal.error(error);
        if (terminal.stopped() !== undefined) {
          const { done, total } = progress;
          terminal.notice(`stopped after ${done} of ${total} rows: the same command goes on`);
        }
      }
    });
}
