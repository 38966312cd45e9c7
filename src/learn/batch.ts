/**
 * What a step learns from, checked, and as the programs are fed with it.
 *
 * Reference: open_flamingo/train/train_utils.py, `train_one_epoch`, and the labels' shift of the language models.
 * Sizes: b rows, t tokens, N images, S pixels a side, v patches, d hidden size of the vision encoder, s images of a row.
 */
import { OpenFlamingoError } from "../base/errors.js";
import type { VitConfig } from "../models/vit.js";
import { countImageTokens, imageIndexOf } from "../runner/imageIndex.js";
import type { HostTensor } from "../runtime/hostTensor.js";

/** Rows of text with their images. */
export interface TrainingBatch {
  /** (b, t), rows one after the other, filled up on the right. */
  readonly ids: Int32Array;
  readonly shape: readonly [b: number, t: number];
  /** (b, t): 1 for a token, 0 for what a row is filled up with. */
  readonly attentionMask: Int32Array;
  /** (b, t): the token's own id where it is to be learnt, −100 elsewhere. */
  readonly labels: Int32Array;
  /** How many images each row has, in the order of the rows. */
  readonly imagesOfRows: readonly number[];
  /** The images of all rows, one row's after the other's. */
  readonly images: TrainingImages;
  /**
   * To how many images each row is filled up with images of zeros, which a text with more `<image>`s than images looks
   * at; as many as the row that has most when left out.
   */
  readonly imagesPerRow?: number | undefined;
}

/** Pixels (N, 3, S, S), normalised; or what the vision encoder made of them, (N, v, d). */
export type TrainingImages =
  | { readonly pixels: Float32Array; readonly tokens?: undefined }
  | { readonly tokens: Float32Array; readonly pixels?: undefined };

/** What a step takes: image and text pairs, interleaved documents, or both. */
export interface TrainingBatches {
  readonly laion?: TrainingBatch | undefined;
  readonly mmc4?: TrainingBatch | undefined;
}

/** The kinds of data, in the order in which a step learns from them. */
export const dataKinds = ["laion", "mmc4"] as const;
export type DataKind = (typeof dataKinds)[number];

/** A batch as the program takes it, but for the images' tokens. */
export interface BatchFeeds {
  readonly text: Readonly<Record<"ids" | "imageIds" | "imageIndex" | "wanted" | "labels", HostTensor>>;
  /** Whether an image of zeros is looked at, which then stands behind the batch's own. */
  readonly needsZeroImage: boolean;
  /** Tokens to be learnt. */
  readonly learnt: number;
}

/** @throws OpenFlamingoError `usage` for a batch that is not what it should be */
export function feedsOf(
  batch: TrainingBatch,
  { imageToken, vocabulary, vision }: { imageToken: number; vocabulary: number; vision: VitConfig },
): BatchFeeds {
  checkBatch(batch, vocabulary, vision);
  const [b, wide] = batch.shape;
  const t = longestRow(batch);
  const s = Math.max(1, batch.imagesPerRow ?? Math.max(...batch.imagesOfRows));
  const all = batch.imagesOfRows.reduce((sum, count) => sum + count, 0);

  const ids = new Int32Array(b * t);
  const imageIds = new Int32Array(b * s);
  const imageIndex = new Int32Array(b * t);
  const [wanted, labels]: [number[], number[]] = [[], []];
  let needsZeroImage = false;
  let before = 0;
  for (let row = 0; row < b; row++) {
    const own = batch.imagesOfRows[row]!;
    const tokens = batch.ids.subarray(row * wide, row * wide + t);
    ids.set(tokens, row * t);
    const list = Array.from(tokens);
    imageIndex.set(imageIndexOf(list, imageToken, s), row * t);
    const looksBeyond = own < s && countImageTokens(list, imageToken) > own;
    needsZeroImage ||= looksBeyond;
    // A place that no token looks at may hold any image.
    for (let i = 0; i < s; i++) imageIds[row * s + i] = i < own ? before + i : looksBeyond ? all : 0;
    before += own;
    for (let i = 1; i < t; i++) {
      const label = batch.labels[row * wide + i]!;
      if (label < 0) continue;
      wanted.push(row * t + i - 1);
      labels.push(label);
    }
  }
  const int32 = (shape: readonly number[], data: ArrayLike<number>): HostTensor => ({
    ...{ dtype: "int32", shape },
    data: data instanceof Int32Array ? data : Int32Array.from(data),
  });
  return {
    text: {
      ids: int32([b, t], ids),
      imageIds: int32([b, s], imageIds),
      imageIndex: int32([b, t], imageIndex),
      wanted: int32([wanted.length], wanted),
      labels: int32([labels.length], labels),
    },
    needsZeroImage,
    learnt: labels.length,
  };
}

/** Tokens of the longest row: what all rows are filled up with behind it changes nothing. */
function longestRow({ shape: [b, t], attentionMask }: TrainingBatch): number {
  let longest = 1;
  for (let row = 0; row < b; row++) {
    longest = Math.max(longest, attentionMask.subarray(row * t, (row + 1) * t).lastIndexOf(1) + 1);
  }
  return longest;
}

function checkBatch(batch: TrainingBatch, vocabulary: number, vision: VitConfig): void {
  const { ids, labels, attentionMask, imagesOfRows, images, imagesPerRow } = batch;
  const [b, t] = batch.shape;
  const isCount = (x: number) => Number.isSafeInteger(x) && x >= 0;
  if (!(isCount(b) && isCount(t) && b > 0 && t > 1)) {
    throw wrong(`its shape is (${b}, ${t})`, "Give at least one row of at least two tokens.");
  }
  for (const [name, values] of Object.entries({ ids, labels, attentionMask })) {
    if (values.length === b * t) continue;
    throw wrong(
      `${name} has ${values.length} numbers, (${b}, ${t}) are ${b * t}`,
      "Fill rows up on the right.",
    );
  }
  const id = ids.find((id) => id < 0 || id >= vocabulary);
  if (id !== undefined) {
    throw wrong(`id ${id} is none of the ${vocabulary} tokens`, "Use the model's own tokenizer.");
  }
  for (let row = 0; row < b; row++) {
    const mask = attentionMask.subarray(row * t, (row + 1) * t);
    const length = mask.lastIndexOf(1) + 1;
    if (length === 0 || !mask.every((one, i) => one === (i < length ? 1 : 0))) {
      throw wrong(
        `the attention mask of row ${row} is not ones and then zeros`,
        "Fill rows up on the right.",
      );
    }
  }
  const at = labels.findIndex((label, i) => label !== -100 && (label !== ids[i] || attentionMask[i] !== 1));
  if (at >= 0) {
    const what = `row ${Math.floor(at / t)}, token ${at % t}: label ${labels[at]} of id ${ids[at]}`;
    throw wrong(what, "The label of a token is its own id where it is to be learnt, and -100 elsewhere.");
  }
  const most = Math.max(...imagesOfRows);
  const total = imagesOfRows.reduce((sum, count) => sum + count, 0);
  if (imagesOfRows.length !== b || !imagesOfRows.every(isCount) || total === 0) {
    throw wrong(
      `imagesOfRows is ${imagesOfRows.join(", ")}`,
      `Give a count for each of the ${b} rows, one above 0.`,
    );
  }
  if (imagesPerRow !== undefined && !(isCount(imagesPerRow) && imagesPerRow >= most)) {
    throw wrong(`imagesPerRow is ${imagesPerRow}`, `A row has ${most} images: give at least as many.`);
  }
  const { pixels, tokens } = images;
  const patches = (vision.imageSize / vision.patchSize) ** 2;
  const perImage = pixels ? 3 * vision.imageSize ** 2 : patches * vision.hiddenSize;
  const given = (pixels ?? tokens).length;
  if (given === total * perImage) return;
  const what = pixels ? "pixels" : "tokens";
  throw wrong(`${what} of ${total} images are ${given} numbers`, `An image has ${perImage} of them.`);
}

const wrong = (what: string, hint: string) =>
  new OpenFlamingoError("usage", `training batch: ${what}`, { hint });
