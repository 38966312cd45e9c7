/**
 * Training data: batches from shards, without an end, the next ones made while a step runs.
 *
 * shards → order, share of this rank → files → samples → shuffle buffer → ids, labels and pixels → batches
 */
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { OpenFlamingoError } from "../base/errors.js";
import { mapInOrder } from "../base/mapInOrder.js";
import { randomStream } from "../base/random.js";
import type { Preprocessing } from "../images/index.js";
import type { FlamingoTokenizer } from "../text/flamingoTokens.js";
import {
  type AssembledSample,
  type Assembler,
  assembleCaption,
  assembleDocument,
  type Coins,
} from "./assemble.js";
import { type CollatedBatch, collate, type SampleKey } from "./batch.js";
import { createDecodeThreads } from "./decodeThreads.node.js";
import { type CheckedOptions, parseDataOptions, type TrainingDataOptions } from "./options.js";
import { type DataPosition, readPosition } from "./position.js";
import { readAhead, timed, type Waiting } from "./readAhead.js";
import type { Drawn, SampleStream } from "./sampleStream.js";
import { findShards, shardName } from "./shardList.node.js";
import { openShardStream } from "./shardStream.node.js";
import { createSkipBook, type SkipBook, type SkipCause, type SkipCounts } from "./skips.js";
import { createTemplate } from "./template.js";

/** What the model that is trained takes. */
export interface DataForModel {
  readonly tokenizer: FlamingoTokenizer;
  readonly preprocessing: Preprocessing;
}

export interface TrainingBatch extends CollatedBatch {
  /** Where the data are behind this batch. */
  readonly position: DataPosition;
}

export interface TrainingData {
  /** Names of all shards, those of other ranks too. */
  readonly shards: readonly string[];
  /** To be read once; what is worked on ends when the reader stops. */
  readonly batches: AsyncGenerator<TrainingBatch, void>;
  /** How long the reader has waited for batches. */
  waiting(): Waiting;
  /** What was left out, by cause. */
  skips(): SkipCounts;
  /** The same for each shard of which anything was, since this was opened. */
  skipsByShard(): ReadonlyMap<string, SkipCounts>;
}

/**
 * Opens training data.
 *
 * Samples that cannot be used are left out and counted; when more than a share of them has faults, `batches` throws.
 *
 * @throws OpenFlamingoError `usage` for options; `data-missing` when there are no shards; `data-invalid` for a position.
 *   `batches` throws `data-missing` when no shard has a sample, `data-invalid` when too many have faults, and the
 *   signal's reason
 * @example
 * const data = await openTrainingData(
 *   { shards: "laion/{00000..00009}.tar", kind: "captions", batch: 64 },
 *   { tokenizer, preprocessing },
 * );
 * for await (const batch of data.batches) { … }
 */
export async function openTrainingData(
  given: TrainingDataOptions,
  model: DataForModel,
): Promise<TrainingData> {
  const options = parseDataOptions(given);
  const template = createTemplate(model.tokenizer, options);
  const shards = await findShards(options.shards);
  const names = shards.map(shardName);
  if (shards.length < options.worldSize && !options.resampled) {
    const count = `${shards.length} shard${shards.length === 1 ? "" : "s"}`;
    throw new OpenFlamingoError(
      "usage",
      `training data: ${count} cannot be shared by ${options.worldSize} processes`,
      {
        hint: "Make more shards, or draw them with replacement (resampled: true).",
      },
    );
  }
  const of = digest(names, options);
  const from = options.position === undefined ? undefined : readPosition(options.position, of);
  const book = createSkipBook(
    { share: options.maxFaultShare, samples: options.minFaults, shards: options.minShardFaults },
    { onSkip: options.onSkip, earlier: from?.skips },
  );
  const unwanted = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, unwanted.signal]) : unwanted.signal;
  const stream = openShardStream(shards, options, { state: from?.stream, signal });
  const { tokenizer, preprocessing } = model;
  const threads = createDecodeThreads(preprocessing, {
    count: options.decodeThreads ?? Math.min(4, Math.max(1, availableParallelism() - 1)),
    // A limit in time would let the machine's speed decide which images are used.
    ...{ maxSeconds: 3600, signal },
  });
  const assembler: Assembler = {
    ...options,
    ...{ tokenizer, template },
    decode: threads.decode,
  };
  const made = closing(
    batches(stream, { assembler, options, book, of, size: preprocessing.size }),
    threads.close,
  );
  const { items, waiting } = timed(
    readAhead(made, { count: options.batchesAhead, stop: () => unwanted.abort() }),
  );
  return { shards: names, batches: items, waiting, skips: book.counts, skipsByShard: book.byShard };
}

/** The same items; what is at work is closed behind the last one. */
async function* closing<T>(
  items: AsyncGenerator<T, void>,
  close: () => Promise<void>,
): AsyncGenerator<T, void> {
  try {
    yield* items;
  } finally {
    await close();
  }
}

/** The options that, with the shards, decide which sample comes when. */
const deciding = [
  ...(["kind", "seed", "rank", "worldSize", "resampled", "shuffle", "shuffleInitial"] as const),
  ...(["maxBufferBytes", "maxMemberBytes"] as const),
];

function digest(names: readonly string[], options: CheckedOptions): string {
  const all = { names, ...Object.fromEntries(deciding.map((name) => [name, options[name]])) };
  return createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 32);
}

interface Made {
  readonly drawn: Drawn;
  readonly made: AssembledSample | SkipCause;
}

async function* batches(
  stream: SampleStream,
  {
    assembler,
    options,
    book,
    of,
    size,
  }: {
    readonly assembler: Assembler;
    readonly options: CheckedOptions;
    readonly book: SkipBook;
    readonly of: string;
    readonly size: number;
  },
): AsyncGenerator<TrainingBatch, void> {
  const { kind, batch, flipWholeBatch, keepLast, maxTokens } = options;
  const assemble = kind === "captions" ? assembleCaption : assembleDocument;
  const coinsOf = coins(options);
  const tokens = options.padTokens ?? (kind === "documents" ? maxTokens : undefined);
  const padding = assembler.tokenizer.special.padding;

  const work = async (drawn: Drawn): Promise<Made> => {
    const { sample, draw } = drawn;
    if (sample.tooLarge.length > 0) return { drawn, made: "too-large" };
    return { drawn, made: await assemble(sample.fields, assembler, coinsOf(draw)) };
  };
  let rows: (AssembledSample & { readonly at: SampleKey })[] = [];
  const collated = (draw: number): TrainingBatch => {
    const whole = collate(rows, { padding, size, tokens, images: options.padImages });
    rows = [];
    return {
      ...whole,
      position: { version: 1, of, stream: stream.stateBefore(draw + 1), skips: book.counts() },
    };
  };

  let last = -1;
  for await (const { drawn, made } of mapInOrder(stream.samples, options.decodeAhead, work)) {
    const { sample, shard, draw } = drawn;
    last = draw;
    countShards(drawn, book);
    book.sawSample();
    if (typeof made === "string") {
      book.skip({ cause: made, shard, key: sample.key, what: described(made) });
      continue;
    }
    const first = rows[0]?.flipped;
    const flipped = kind === "captions" && flipWholeBatch && first ? first : made.flipped;
    rows.push({ ...made, flipped, at: { shard, key: sample.key } });
    if (rows.length === batch) yield collated(draw);
  }
  countShards(stream.rest(), book);
  if (keepLast && rows.length > 0) yield collated(last);
}

function countShards({ opened, faults }: Pick<Drawn, "opened" | "faults">, book: SkipBook): void {
  for (const shard of opened) book.sawShard(shard);
  for (const fault of faults) book.skip(fault);
}

/** The coins of each sample, by the number of its draw. */
function coins({ kind, seed, rank, worldSize, flip }: CheckedOptions): (draw: number) => Coins {
  const random = randomStream(seed, `data ${kind} coins, rank ${rank} of ${worldSize}`);
  return (draw) => ({
    drop: () => random.uniform(draw, 0) <= 0.5,
    flip: (image) => flip && random.uniform(draw, 1 + image) < 0.5,
  });
}

const words: { readonly [cause in SkipCause]: string } = {
  "shard-missing": "the shard cannot be read",
  "shard-damaged": "the shard is cut off or corrupt",
  "too-large": "a file is larger than maxMemberBytes",
  incomplete: "the text or the image is missing",
  "text-invalid": "the text is not UTF-8, or far too long",
  "document-invalid": "the document is not JSON as MMC4 has it",
  "image-unreadable": "an image cannot be decoded",
  "no-images": "no image is large enough and similar to a sentence",
  "too-few-images": "too few images are left",
  "one-image": "a document with one image, dropped at random",
  "image-at-end": "nothing follows the image",
};

/** What a cause means, for people. */
export const described = (cause: SkipCause): string => words[cause];
