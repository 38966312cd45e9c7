/** The batches of a run: a stream of each kind of data, and the features of images where they are kept. */
import { createHash } from "node:crypto";
import { withClosing } from "../base/dispose.js";
import type { JsonValue } from "../base/json.js";
import { openFile } from "../checkpoints/file.node.js";
import { findInside } from "../checkpoints/insideFolder.node.js";
import { inside, type ModelPath } from "../checkpoints/modelPath.js";
import { filesOf } from "../checkpoints/openCheckpoint.node.js";
import type { TrainingDataOptions } from "../data/options.js";
import type { DataPosition } from "../data/position.js";
import type { Skip, SkipCause, SkipCounts } from "../data/skips.js";
import {
  type TrainingBatch as DataBatch,
  openTrainingData,
  type TrainingData,
} from "../data/trainingData.node.js";
import type { DataKind, TrainingBatches, TrainingImages } from "../learn/batch.js";
import { type FeatureCache, openFeatureCache } from "./featureCache.node.js";
import { cachedTokens, ownPixels, stepBatch } from "./imageTokens.js";
import type { ModelToTrain } from "./openTraining.node.js";
import type { TrainingOptions } from "./options/table.js";
import { dataAt, positionIn, shardsOfRun } from "./shardsOfRun.node.js";

/** A batch of each kind, and where their data are behind them. */
export interface NextBatches {
  readonly batches: TrainingBatches;
  readonly positions: { readonly [kind in DataKind]?: JsonValue };
  /** Names of the samples, for messages. */
  readonly keys: readonly string[];
  readonly tokens: number;
  /** What was left out up to these batches, by cause, since the run began. */
  readonly skipped: SkipCounts;
}

export interface BatchSource {
  next(): Promise<NextBatches>;
  /** The share of all time in which a batch was waited for; the largest of the kinds'. */
  waitingShare(): number;
  close(): Promise<void>;
}

export interface BatchSourceOptions {
  readonly kinds: readonly DataKind[];
  /** Where an earlier run was. */
  readonly positions: { readonly [kind in DataKind]?: JsonValue } | undefined;
  readonly cache: FeatureCache | undefined;
  /** Called for all that is left out, which may be ahead of the batches that were asked for. */
  readonly onSkip: (skip: Skip) => void;
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal;
}

/** @throws OpenFlamingoError what `openTrainingData` throws */
export async function openBatches(
  model: ModelToTrain,
  options: TrainingOptions,
  { kinds, positions, cache, onSkip, onNotice, signal }: BatchSourceOptions,
): Promise<BatchSource> {
  const streams = new Map<DataKind, TrainingData>();
  for (const kind of kinds) {
    const saved = positions?.[kind];
    const read = { ...dataOptions(kind, options), onSkip, signal };
    const shards = await shardsOfRun(read.shards, saved, onNotice);
    const position = positionIn(saved) as DataPosition | undefined; // checked where it is read
    streams.set(kind, await openTrainingData({ ...read, shards, position }, model));
  }
  const imagesOf = (batch: DataBatch) => imagesFor(batch, model, { cache, signal });
  return {
    async next() {
      const batches: { [kind in DataKind]?: ReturnType<typeof stepBatch> } = {};
      const reached: { [kind in DataKind]?: JsonValue } = {};
      const keys: string[] = [];
      let tokens = 0;
      const skipped: { [cause in SkipCause]?: number } = {};
      for (const [kind, stream] of streams) {
        const { value, done } = await stream.batches.next();
        if (done) throw new Error(`the ${kind} data came to an end`); // passes are without number
        batches[kind] = stepBatch(value, await imagesOf(value));
        reached[kind] = dataAt(value.position, stream.shards);
        for (const [cause, count] of Object.entries(value.position.skips) as [SkipCause, number][]) {
          skipped[cause] = (skipped[cause] ?? 0) + count;
        }
        keys.push(...value.keys.map(({ shard, key }) => `${shard}: ${key}`));
        tokens += value.attentionMask.reduce((sum, one) => sum + one, 0);
      }
      return { batches, positions: reached, keys, tokens, skipped };
    },
    waitingShare: () => Math.max(...[...streams.values()].map((stream) => stream.waiting().share)),
    async close() {
      for (const stream of streams.values()) await stream.batches.return();
    },
  };
}

/** What a step takes of a batch's images. */
async function imagesFor(
  batch: DataBatch,
  { step }: ModelToTrain,
  { cache, signal }: Pick<BatchSourceOptions, "cache"> & { readonly signal: AbortSignal | undefined },
): Promise<TrainingImages> {
  const pixels = ownPixels(batch);
  if (!cache) return { pixels };
  const encode = (image: Float32Array) => step.encodeImages(image, signal);
  return { tokens: await cachedTokens(pixels, batch.sizes.S, { cache, keyOf: digestOf, encode }) };
}

/**
 * The loss of the validation shards, all of them: a mean over samples.
 *
 * @throws OpenFlamingoError what `openTrainingData` throws
 */
export async function validationLoss(
  model: ModelToTrain,
  options: TrainingOptions,
  how: Pick<BatchSourceOptions, "cache" | "onSkip"> & { readonly signal: AbortSignal | undefined },
): Promise<number> {
  const { signal, onSkip } = how;
  const plain = { shuffle: 1, flip: false, passes: 1, keepLast: true, resampled: false, batchesAhead: 1 };
  const read = { ...dataOptions("laion", options), ...plain, shards: options.validationShards };
  const data = await openTrainingData({ ...read, rank: 0, worldSize: 1, onSkip, signal }, model);
  let [sum, samples] = [0, 0];
  for await (const batch of data.batches) {
    const loss = await model.step.lossOf(stepBatch(batch, await imagesFor(batch, model, how)), signal);
    if (Number.isNaN(loss)) continue; // nothing to be learnt
    sum += batch.sizes.b * loss;
    samples += batch.sizes.b;
  }
  return sum / samples;
}

/** What a kind of data is read as. */
function dataOptions(kind: DataKind, options: TrainingOptions): TrainingDataOptions {
  const common = {
    seed: options.seed,
    rank: options.rank,
    worldSize: options.worldSize,
    resampled: options.datasetResampled,
    shuffle: options.shuffleSamples,
    flip: options.flip,
    flipWholeBatch: options.flipWholeBatch,
    specialTokensInText: options.specialTokensInText,
    maxFaultShare: options.maxSkipped,
    decodeThreads: options.workers,
  };
  if (kind === "laion") {
    return {
      ...common,
      ...{ kind: "captions", shards: options.laionShards, batch: options.batchSizeLaion },
      maxTokens: options.maxTokensLaion,
    };
  }
  return {
    ...common,
    ...{ kind: "documents", shards: options.mmc4Shards, batch: options.batchSizeMmc4 },
    maxTokens: options.maxTokensMmc4,
    similarityThreshold: options.mmc4TextsimThreshold,
    minImages: options.mmc4MinNumImages,
    maxImages: options.mmc4MaxNumImages,
    padImages: options.asPublished ? options.mmc4MaxNumImages : undefined,
    imagesInIndexOrder: options.mmc4ImagesInIndexOrder,
    cutBeforeLastImage: options.mmc4CutBeforeLastImage,
  };
}

/** Bytes that features may take; nothing is kept beyond them. */
const mostFeatureBytes = 2 ** 40;

/** The features of the images of this model's vision encoder, in a folder. */
export async function openFeatures(
  folder: string,
  { vision }: Pick<ModelToTrain, "vision">,
  {
    options: { precision, weights },
    files: path,
    onNotice,
  }: {
    readonly options: Pick<TrainingOptions, "precision" | "weights">;
    /** Of the vision encoder's weights. */
    readonly files: ModelPath;
    readonly onNotice: (text: string) => void;
  },
): Promise<FeatureCache> {
  const hash = createHash("sha256").update(JSON.stringify([vision, precision, weights]));
  const found = await findInside(path);
  const isFolder = "real" in found && found.stats.isDirectory();
  const at = { ...path, folder: path.folder ?? path.path };
  const files = isFolder ? (await filesOf(at)).map((name) => inside(at, name)) : [path];
  for (const file of files) await addFile(hash, file);
  const length = (vision.imageSize / vision.patchSize) ** 2 * vision.hiddenSize;
  return openFeatureCache(folder, {
    ...{ madeBy: hash.digest("hex"), length, mostBytes: mostFeatureBytes, onNotice },
  });
}

const pieceBytes = 2 ** 22;

const addFile = (hash: ReturnType<typeof createHash>, path: ModelPath): Promise<void> =>
  withClosing(async (closing) => {
    const file = closing(await openFile(path));
    const piece = new Uint8Array(pieceBytes);
    for (let at = 0; at < file.size; at += pieceBytes) {
      hash.update(await file.read(at, piece.subarray(0, Math.min(pieceBytes, file.size - at))));
    }
  });

const digestOf = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");
