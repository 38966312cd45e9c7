/** `openflamingo data pack`: shards of training data from images that are here. */
import { join } from "node:path";
import { type Command, Option } from "commander";
import { type PackKind, packData } from "../api/packData.node.js";
import { OpenFlamingoError } from "../base/errors.js";
import type { PackSummary } from "../pack/packShards.node.js";
import { badRows } from "../pack/tally.js";
import {
  type ListFlags,
  listOptions,
  listSettings,
  type StoreFlags,
  shownCounts,
  storeOptions,
} from "./dataOptions.js";
import { exitCodes } from "./exitCodes.js";
import { addOptions, count, number } from "./options.js";
import { createCountRate, shownBytes } from "./rate.js";
import { createTerminal } from "./terminal.js";

interface PackFlags extends ListFlags, StoreFlags {
  readonly captions?: readonly string[];
  readonly questions?: readonly string[];
  readonly documents?: readonly string[];
  readonly mmc4?: readonly string[];
  readonly images: string;
  readonly output: string;
  readonly template?: string;
  readonly samplesPerShard?: number;
  readonly seed?: number;
  readonly shuffle?: "on" | "off";
  readonly similarityThreshold?: number;
  readonly onlyUsable?: true;
  readonly json?: true;
  readonly quiet?: true;
}

const kinds: readonly PackKind[] = ["captions", "questions", "documents", "mmc4"];

export function dataPack(parent: Command): void {
  const command = parent
    .command("pack")
    .summary("pack a folder of images with a list into shards")
    .description("Packs a folder of images with a list of captions, questions or documents into shards.");
  addOptions(command, [
    new Option("--captions <file...>", "lists of images with captions: CSV, TSV, JSON Lines or Parquet"),
    new Option("--questions <file...>", "the same with questions and answers"),
    new Option("--documents <file...>", "interleaved documents: JSON Lines"),
    new Option("--mmc4 <file...>", "MMC4's zip archives; --images has a folder for each: 0, 1, …"),
    new Option("--images <folder>", "the folder of the images").makeOptionMandatory(),
    new Option("--output <folder>", "the folder to write").makeOptionMandatory(),
    new Option("--samples-per-shard <n>", "samples of a shard (default: 1000)").argParser(count(1)),
    new Option("--seed <n>", "random seed of the order and of the keys (default: 0)").argParser(count(0)),
    new Option("--shuffle <when>", "whether the order is random (default: on; with --mmc4 off)").choices([
      "on",
      "off",
    ]),
    new Option(
      "--template <text>",
      'the text of a sample (default: "{caption}", or "Question:{question} Short answer:{answer}")',
    ),
    ...listOptions(["image", "caption", "question", "answer"]),
    ...storeOptions({ encode: "keep; with --mmc4 jpeg", quality: "95; with --mmc4 75" }),
    new Option(
      "--similarity-threshold <x>",
      "documents: the similarity from which on training will use an image (default: 0.24)",
    ).argParser(number),
    new Option("--only-usable", "documents: leave out those of which training can use no image"),
    new Option("--json", "one JSON object"),
    new Option("--quiet", "no progress and no notices"),
  ])
    .addHelpText(
      "after",
      `
Paths of images are relative to --images and may not leave it. An image that cannot be decoded is skipped.
Interrupted, it goes on where it was when it is begun again. The exit code is 3 when rows were skipped, duplicates aside.
With --json, the content of index.json: {"pattern": names of the shards, "samples", "images", "rows", "bytes",
"skipped": {cause: {"count", "first": [names]}}, "warnings": the same, for what training would not use,
"shards": [{"file", "samples", "bytes", "sha256"}]}.

Examples:
  openflamingo data pack --captions captions.csv --images photos --output shards
  openflamingo data pack --captions laion/*.parquet --image-column key --images laion --output shards
  openflamingo data pack --questions vqa.jsonl --images photos --output shards
  openflamingo data pack --documents articles.jsonl --images photos --output shards
  openflamingo data pack --mmc4 docs_shard_0_v2.jsonl.zip docs_shard_1_v2.jsonl.zip --images mmc4 --output shards`,
    )
    .action(async (flags: PackFlags) => {
      const { json = false, quiet = false } = flags;
      const terminal = createTerminal({ json, quiet });
      try {
        const shown = createCountRate();
        const { kind, lists } = listsOf(flags);
        const { images, output, samplesPerShard, seed, template, similarityThreshold, onlyUsable } = flags;
        const { encode, quality, maxSide, shuffle } = flags;
        const summary = await packData({
          ...{
            kind,
            lists,
            images,
            output,
            samplesPerShard,
            seed,
            template,
            similarityThreshold,
            onlyUsable,
          },
          ...{ encode, quality, maxSide, shuffle: shuffle && shuffle === "on" },
          ...listSettings(flags),
          signal: terminal.signal,
          onProgress: (done, total, what) => terminal.progress(what, done, total, () => shown(done, total)),
        });
        for (const line of noticesOf(summary)) terminal.notice(line);
        terminal.line(json ? JSON.stringify(summary) : shownSummary(output, summary));
        const code = badRows(summary.skipped) > 0 ? exitCodes["data-invalid"] : 0;
        process.exitCode = terminal.stopped() ?? code;
      } catch (error) {
        process.exitCode = terminal.error(error);
      }
    });
}

/** The one kind of lists that was given. */
function listsOf(flags: PackFlags): { readonly kind: PackKind; readonly lists: readonly string[] } {
  const given = kinds.filter((kind) => flags[kind] !== undefined);
  const [kind] = given;
  if (kind !== undefined && given.length === 1) return { kind, lists: flags[kind]! };
  const names = kinds.map((each) => `--${each}`).join(", ");
  throw new OpenFlamingoError(
    "usage",
    `data pack: ${given.length === 0 ? "no list" : "more than one kind of list"} given`,
    {
      hint: `Give one of ${names}.`,
    },
  );
}

const shownSummary = (output: string, { pattern, samples, bytes }: PackSummary): string =>
  `${join(output, pattern)}  ${samples.toLocaleString("en-US")} sample${samples === 1 ? "" : "s"}, ${shownBytes(bytes)}`;

function noticesOf({ skipped, warnings }: PackSummary): readonly string[] {
  return [
    shownCounts("skipped rows", skipped),
    shownCounts("packed, but training will not use it, or not as it stands", warnings),
  ].filter((line) => line !== "");
}
