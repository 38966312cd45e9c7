/** Packing training data into shards. */
import { OpenFlamingoError } from "../base/errors.js";
import {
  anyFunction,
  boolean,
  count,
  integer,
  listOf,
  number,
  oneOf,
  optional,
  recordOf,
  string,
  text,
} from "../base/fields.js";
import type { Progress } from "../base/progress.js";
import { quoted } from "../base/quoted.js";
import type { ColumnNames, Role } from "../pack/columns.js";
import type { PackSummary } from "../pack/packShards.node.js";
import { readOptions, signal } from "./readOptions.js";

/** What the rows of the lists are. */
export type PackKind = "captions" | "questions" | "documents" | "mmc4";

export interface PackOptions {
  /**
   * What the lists hold. `"captions"`: images with captions; `"questions"`: images with questions and answers;
   * `"documents"`: interleaved documents; `"mmc4"`: MMC4's archives, as OpenFlamingo's `convert_mmc4_to_wds` takes them.
   */
  readonly kind: PackKind;
  /**
   * Paths of the lists. Captions and questions: CSV, TSV, JSON Lines or Parquet. Documents and MMC4: JSON Lines, or zip
   * archives of it.
   */
  readonly lists: readonly string[];
  /**
   * The folder of the images. Paths in lists are relative to it, and may not leave it. Of MMC4 it has a folder for each
   * list, named by the list's number: `0`, `1`, ….
   */
  readonly images: string;
  /** The folder to write: not there yet, or empty, or what an earlier call with the same arguments has left. */
  readonly output: string;
  /** Samples of a shard. Default: 1000. */
  readonly samplesPerShard?: number | undefined;
  /** The random seed of the order and of the samples' keys. Default: 0. */
  readonly seed?: number | undefined;
  /** Whether samples are written in a random order. Default: true, of MMC4 false. */
  readonly shuffle?: boolean | undefined;
  /**
   * How images are stored. `"keep"`: JPEG and PNG files as they are, other formats as JPEG; `"jpeg"` or `"png"`: all of
   * them anew, in this format. Default: `"keep"`, of MMC4 `"jpeg"`.
   */
  readonly encode?: "keep" | "jpeg" | "png" | undefined;
  /** Quality of JPEG, from 1 to 100. Default: 95, of MMC4 75. */
  readonly quality?: number | undefined;
  /** Images with a longer side, in pixels, are scaled down to it. Default: none are. */
  readonly maxSide?: number | undefined;
  /**
   * The text of a sample, with `{caption}`, `{question}` and `{answer}` where these go. Training puts `<image>` before
   * it and `<|endofchunk|>` behind it. Default: `"{caption}"`, and `"Question:{question} Short answer:{answer}"`.
   */
  readonly template?: string | undefined;
  /**
   * Names of the columns, or keys, by what they are: `{ image: "file", caption: "title" }`; of CSV without names their
   * numbers from 1. Default: names in common use.
   */
  readonly columns?: ColumnNames | undefined;
  /** What parts the fields of CSV. Default: found by the first line. */
  readonly delimiter?: string | undefined;
  /** Whether CSV begins with a line of names. Default: true. */
  readonly header?: boolean | undefined;
  /** Documents: the similarity of image and sentence from which on training uses them together. Default: 0.24. */
  readonly similarityThreshold?: number | undefined;
  /** Documents: leave out those of which training can use no image. Default: false, they are counted as warnings. */
  readonly onlyUsable?: boolean | undefined;
  /** Stops the work, which goes on from there when it is begun again. */
  readonly signal?: AbortSignal | undefined;
  /** Called with rows that are done, and as many as there are (`packing`). */
  readonly onProgress?: Progress | undefined;
}

const roles: readonly Role[] = ["image", "caption", "question", "answer", "url"];

/** Of a list of training data: how CSV is read, and which columns count. */
export const listReaders = {
  columns: optional(recordOf(text), new Map<string, string>()),
  delimiter: optional(text),
  header: optional(boolean, true),
};

/** How images are stored; defaults depend on what is packed. */
export const storeReaders = {
  encode: optional(oneOf("keep", "jpeg", "png")),
  quality: optional(integer(1, 100)),
  maxSide: optional(count(1)),
};

const readers = {
  kind: oneOf<PackKind>("captions", "questions", "documents", "mmc4"),
  lists: listOf(text, 1),
  images: text,
  output: text,
  samplesPerShard: optional(integer(1, 1_000_000), 1000),
  seed: optional(count(0), 0),
  shuffle: optional(boolean),
  ...storeReaders,
  template: optional(string),
  ...listReaders,
  similarityThreshold: optional(number(-1e9, 1e9), 0.24),
  onlyUsable: optional(boolean, false),
  signal,
  onProgress: optional(anyFunction<Progress>()),
};

const templates = { captions: "{caption}", questions: "Question:{question} Short answer:{answer}" } as const;

/**
 * Writes WebDataset shards from lists and a folder of images, atomically and shard by shard: work that is stopped, by
 * whatever means, goes on after its last shard when it is begun again with the same arguments. The same lists, images
 * and options make the same bytes.
 *
 * Rows that give no sample are counted by cause in the result, which is also written to `index.json` in the folder.
 *
 * @throws OpenFlamingoError `data-missing`, `data-invalid` (a list that cannot be read, or gives no sample), `usage`,
 *   `disk`; the signal's reason
 * @example
 * const { samples } = await packData({ kind: "captions", lists: ["captions.csv"], images: "photos", output: "shards" });
 */
export async function packData(options: PackOptions): Promise<PackSummary> {
  const { columns, kind, ...read } = readOptions("packData", readers, options);
  // With its readers of CSV, Parquet and zip: nobody else should wait for them to be loaded.
  const { pack } = await import("../pack/pack.node.js");
  const { lists, images, output, seed, similarityThreshold, onlyUsable, delimiter, header } = read;
  const isMmc4 = kind === "mmc4";
  const shared = {
    ...{ lists, images, output, seed, samplesPerShard: read.samplesPerShard },
    ...{ signal: read.signal, onProgress: read.onProgress },
    shuffle: read.shuffle ?? !isMmc4,
    store: {
      encode: read.encode ?? (isMmc4 ? "jpeg" : "keep"),
      quality: read.quality ?? (isMmc4 ? 75 : 95),
      ...(read.maxSide !== undefined && { maxSide: read.maxSide }),
    },
  } as const;
  if (kind === "documents" || isMmc4) {
    return pack({ ...shared, kind, folderPerList: isMmc4, threshold: similarityThreshold, onlyUsable });
  }
  const template = read.template ?? templates[kind];
  requirePlaceholder(template, kind);
  return pack({
    ...shared,
    kind,
    template,
    form: { delimiter, header },
    columns: columnNames(columns, "packData"),
  });
}

/** @throws OpenFlamingoError `usage` for a column that is none */
export function columnNames(columns: ReadonlyMap<string, string>, call: string): ColumnNames {
  for (const name of columns.keys()) {
    if (roles.includes(name as Role)) continue;
    throw new OpenFlamingoError("usage", `${call}: columns has ${quoted(name)}, which no column can be`, {
      hint: `It may have ${roles.join(", ")}.`,
      data: { options: ["columns"] },
    });
  }
  return Object.fromEntries(columns);
}

/** A text without anything of the row would be the same for all images. */
function requirePlaceholder(template: string, kind: "captions" | "questions"): void {
  const known = kind === "captions" ? ["{caption}"] : ["{question}", "{answer}"];
  if (known.every((each) => template.includes(each))) return;
  throw new OpenFlamingoError(
    "usage",
    `packData: template is ${quoted(template)}, without ${known.join(" and ")}`,
    {
      hint: `Such as ${quoted(templates[kind])}.`,
      data: { options: ["template"] },
    },
  );
}
