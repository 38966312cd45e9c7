/** The options of training data, checked, with their defaults. */
import { OpenFlamingoError } from "../base/errors.js";
import {
  anyFunction,
  anything,
  boolean,
  count,
  faultList,
  integer,
  listOf,
  number,
  object,
  oneOf,
  optional,
  type Read,
  type Reader,
  readFields,
  text,
} from "../base/fields.js";
import type { ConnectOptions } from "../net/connect.node.js";
import { documentTokens } from "./assemble.js";
import { captionTokens } from "./caption.js";
import { leastImageBytes } from "./document.js";
import type { DataPosition } from "./position.js";
import { defaultFaultLimit, type Skip } from "./skips.js";

const names: Reader<string | readonly string[]> = (value, at, report) =>
  Array.isArray(value) ? listOf(text, 1)(value, at, report) : text(value, at, report);

const mostTokens = 2 ** 16;
const seed = integer(0, 2 ** 40);
const share = number(0, 1);

const table = {
  shards: names,
  kind: oneOf("captions", "documents"),
  batch: integer(1, 2 ** 16),
  seed: optional(seed, 42),
  rank: optional(count(0), 0),
  worldSize: optional(integer(1, 2 ** 20), 1),
  resampled: optional(boolean, false),
  passes: optional<number>(
    (value, at, report) => (value === Number.POSITIVE_INFINITY ? value : count(1)(value, at, report)),
    Number.POSITIVE_INFINITY,
  ),
  keepLast: optional(boolean, false),
  shuffle: optional(count(1), 5000),
  shuffleInitial: optional(count(1), 1000),
  maxBufferBytes: optional(count(1), 2 ** 30),
  maxTokens: optional(integer(4, mostTokens)),
  padTokens: optional(integer(4, mostTokens)),
  padImages: optional(integer(1, 1024)),
  similarityThreshold: optional(number(-1e6, 1e6), 0.24),
  minImages: optional(integer(0, 1024), 1),
  maxImages: optional(integer(1, 1024), 6),
  minImageBytes: optional(count(0), leastImageBytes),
  flip: optional(boolean, true),
  endOfText: optional(text),
  imagesInIndexOrder: optional(boolean, false),
  flipWholeBatch: optional(boolean, false),
  cutBeforeLastImage: optional(boolean, false),
  specialTokensInText: optional(boolean, false),
  maxFaultShare: optional(share, defaultFaultLimit.share),
  minFaults: optional(count(1), defaultFaultLimit.samples),
  minShardFaults: optional(count(1), defaultFaultLimit.shards),
  maxMemberBytes: optional(count(1), 2 ** 28),
  decodeAhead: optional(integer(1, 4096), 32),
  batchesAhead: optional(integer(0, 64), 2),
  decodeThreads: optional(integer(0, 4)),
  position: anything,
  onSkip: optional(anyFunction<(skip: Skip) => void>()),
  network: anything,
  signal: anything,
};

/** What training data are made of. All but `shards`, `kind` and `batch` have defaults. */
export interface TrainingDataOptions {
  /** Files, folders, brace patterns, http(s) addresses of shards. */
  readonly shards: string | readonly string[];
  /** Pairs of an image and a caption (LAION), or documents (MMC4). */
  readonly kind: "captions" | "documents";
  /** Samples of a batch. */
  readonly batch: number;
  /** Of the order of shards, the shuffle and all coins. Default: 42. */
  readonly seed?: number | undefined;
  /** This process of `worldSize`, from 0. Default: 0 of 1. */
  readonly rank?: number | undefined;
  readonly worldSize?: number | undefined;
  /** Whether shards are drawn with replacement, in place of passes through all of them. Default: false. */
  readonly resampled?: boolean | undefined;
  /** How often all shards are gone through. Default: Infinity. */
  readonly passes?: number | undefined;
  /** Whether a last batch that is not full is given. Default: false. */
  readonly keepLast?: boolean | undefined;
  /** Samples of the shuffle buffer; 1 keeps the order of the shards. Default: 5000. */
  readonly shuffle?: number | undefined;
  /** Samples in the buffer before the first is drawn. Default: 1000, or `shuffle` if that is less. */
  readonly shuffleInitial?: number | undefined;
  /** The buffer stays smaller where its samples have so many bytes. Default: 1 GiB. */
  readonly maxBufferBytes?: number | undefined;
  /** Tokens of a sample; the rest is cut off. Default: 32 of a caption, 256 of a document. */
  readonly maxTokens?: number | undefined;
  /** Tokens of a batch's rows. Default: as many as the longest has (captions), `maxTokens` (documents). */
  readonly padTokens?: number | undefined;
  /** Images of a batch's rows. Default: as many as the row with most has. As published: `maxImages`. */
  readonly padImages?: number | undefined;
  /** Documents: an image less similar to its sentence is left out. Default: 0.24. */
  readonly similarityThreshold?: number | undefined;
  /** Documents: fewer images reject it. Default: 1. */
  readonly minImages?: number | undefined;
  /** Documents: further images are left out. Default: 6. */
  readonly maxImages?: number | undefined;
  /** Documents: images of fewer bytes are left out. Default: 11,000. */
  readonly minImageBytes?: number | undefined;
  /** Whether half of all images are flipped left to right. Default: true. */
  readonly flip?: boolean | undefined;
  /** The token at the end of a text. Default: `<|endoftext|>`. */
  readonly endOfText?: string | undefined;
  /** As published: a document's images in the order of its list, not of their `<image>`s. Default: false. */
  readonly imagesInIndexOrder?: boolean | undefined;
  /** As published: one coin flips all images of a batch of captions, or of a document. Default: false. */
  readonly flipWholeBatch?: boolean | undefined;
  /** As published: a marked text with too many images loses one more. Default: false. */
  readonly cutBeforeLastImage?: boolean | undefined;
  /** As published: `<image>` and the like, written in a text, are special tokens. Default: false. */
  readonly specialTokensInText?: boolean | undefined;
  /** The run stops when more than this share of the samples, or shards, has faults. Default: 0.1; 1 never stops. */
  readonly maxFaultShare?: number | undefined;
  /** But not before so many samples have. Default: 100. */
  readonly minFaults?: number | undefined;
  /** But not before so many shards have. Default: 3. */
  readonly minShardFaults?: number | undefined;
  /** Bytes of a file in a shard; a larger one is left out. Default: 256 MiB. */
  readonly maxMemberBytes?: number | undefined;
  /** Samples that are worked on at a time. Default: 32. */
  readonly decodeAhead?: number | undefined;
  /** Threads that decode, at most 4; 0 decodes on the calling one. Default: one less than there are cores, 1 to 4. */
  readonly decodeThreads?: number | undefined;
  /** Batches that are ready before they are asked for. Default: 2. */
  readonly batchesAhead?: number | undefined;
  /** Where an earlier run was: the `position` of the last batch it trained on. */
  readonly position?: DataPosition | undefined;
  /** Called for everything that is left out. */
  readonly onSkip?: ((skip: Skip) => void) | undefined;
  /** How shards of the web are fetched. Default: from public addresses only. */
  readonly network?: ConnectOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type CheckedOptions = Omit<Read<typeof table>, "position" | "network" | "signal"> &
  Pick<TrainingDataOptions, "position" | "network" | "signal"> & { readonly maxTokens: number };

/** @throws OpenFlamingoError `usage` that names every option that is wrong */
export function parseDataOptions(options: TrainingDataOptions): CheckedOptions {
  const fail = (faults: Parameters<typeof faultList>[0]) =>
    new OpenFlamingoError("usage", `training data: ${faultList(faults)}`, {
      hint: "The options and their defaults are in the documentation of training data.",
    });
  const read = readFields(object(table), options, fail, "the options") as CheckedOptions;
  if (read.rank >= read.worldSize) {
    throw new OpenFlamingoError(
      "usage",
      `training data: rank is ${read.rank}, worldSize is ${read.worldSize}`,
      {
        hint: "Ranks count from 0: the last one is worldSize − 1.",
      },
    );
  }
  const maxTokens = read.maxTokens ?? (read.kind === "captions" ? captionTokens : documentTokens);
  if (read.padTokens !== undefined && read.padTokens < maxTokens) {
    throw new OpenFlamingoError(
      "usage",
      `training data: padTokens is ${read.padTokens}, maxTokens is ${maxTokens}`,
      {
        hint: "Rows are as long as the longest sample may be, or longer.",
      },
    );
  }
  return { ...read, maxTokens };
}
