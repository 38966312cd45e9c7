/** Batches as programs are fed with them, and batches that are not what they should be. */
import { describe, expect, test } from "vitest";
import { feedsOf, type TrainingBatch } from "../../src/learn/batch.js";
import { ALL_IMAGES, NO_IMAGE } from "../../src/models/crossAttention.js";

const [image, end] = [9, 8];
const vision = {
  ...{ imageSize: 4, patchSize: 2, hiddenSize: 3, layers: 1, heads: 1, mlpRatio: 4 },
  activation: "gelu",
} as const;
const given = { imageToken: image, vocabulary: 10, vision };

/** Two rows: two images and an `<image>` too many; no image before the first `<image>`. */
const batch: TrainingBatch = {
  ids: Int32Array.of(...[image, 1, image, 2, image, 3, 0, 0], ...[4, image, 5, end, 0, 0, 0, 0]),
  shape: [2, 8],
  attentionMask: Int32Array.of(...[1, 1, 1, 1, 1, 1, 0, 0], ...[1, 1, 1, 1, 0, 0, 0, 0]),
  labels: Int32Array.of(
    ...[-100, 1, -100, 2, -100, 3, -100, -100],
    ...[-100, -100, 5, end, -100, -100, -100, -100],
  ),
  imagesOfRows: [2, 1],
  images: { tokens: new Float32Array(3 * 4 * 3) },
};

const plain = (batch: TrainingBatch) => {
  const { text, ...rest } = feedsOf(batch, given);
  const data = Object.entries(text).map(([name, { shape, data }]) => [name, [shape, [...data]]]);
  return { ...rest, ...Object.fromEntries(data) };
};

describe("a batch", () => {
  test("is cut to its longest row, with the token before each that is learnt", () => {
    expect(plain(batch)).toMatchObject({
      ids: [
        [2, 6],
        [image, 1, image, 2, image, 3, 4, image, 5, end, 0, 0],
      ],
      wanted: [[5], [0, 2, 4, 7, 8]],
      labels: [[5], [1, 2, 3, 5, end]],
      learnt: 5,
    });
  });

  test("has its images in a row, and none of zeros that no token looks at", () => {
    expect(plain(batch)).toMatchObject({
      imageIds: [
        [2, 2],
        [0, 1, 2, 0],
      ],
      imageIndex: [
        [2, 6],
        [0, 0, 1, 1, ALL_IMAGES, ALL_IMAGES, NO_IMAGE, 0, 0, 0, 0, 0],
      ],
      needsZeroImage: false,
    });
  });

  test("filled up to more images, has one of zeros behind its own for all that look there", () => {
    expect(plain({ ...batch, imagesPerRow: 4 })).toMatchObject({
      imageIds: [
        [2, 4],
        [0, 1, 3, 3, 2, 0, 0, 0],
      ],
      imageIndex: [
        [2, 6],
        [0, 0, 1, 1, 2, 2, NO_IMAGE, 0, 0, 0, 0, 0],
      ],
      needsZeroImage: true,
    });
  });
});

describe("a batch is rejected", () => {
  const with_ = (changes: Partial<TrainingBatch>) => () => feedsOf({ ...batch, ...changes }, given);
  const changed = (values: Int32Array, at: number, value: number) => values.with(at, value);
  test.each([
    ["of one token", with_({ shape: [16, 1] }), /shape is \(16, 1\)/],
    [
      "whose lists have other lengths",
      with_({ labels: batch.labels.slice(1) }),
      /labels has 15 numbers, \(2, 8\) are 16/,
    ],
    ["with an id of no token", with_({ ids: changed(batch.ids, 1, 10) }), /id 10 is none of the 10 tokens/],
    [
      "with labels moved by one",
      with_({ labels: changed(batch.labels, 1, 2) }),
      /row 0, token 1: label 2 of id 1/,
    ],
    [
      "with a label where the row is filled up",
      with_({ labels: changed(batch.labels, 15, 0) }),
      /row 1, token 7/,
    ],
    ["filled up on the left", with_({ attentionMask: batch.attentionMask.toReversed() }), /mask of row 0/],
    [
      "with a row of no token",
      with_({
        attentionMask: batch.attentionMask.map((one, i) => (i < 8 ? one : 0)),
        labels: batch.labels.map((id, i) => (i < 8 ? id : -100)),
      }),
      /mask of row 1/,
    ],
    ["with counts of images for other rows", with_({ imagesOfRows: [3] }), /imagesOfRows is 3/],
    ["without an image", with_({ imagesOfRows: [0, 0] }), /imagesOfRows is 0, 0/],
    ["with more images in a row than it is filled up to", with_({ imagesPerRow: 1 }), /imagesPerRow is 1/],
    [
      "with images of another size",
      with_({ images: { pixels: new Float32Array(7) } }),
      /pixels of 3 images are 7 numbers/,
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: "usage", message: expect.stringMatching(message) }));
  });
});
