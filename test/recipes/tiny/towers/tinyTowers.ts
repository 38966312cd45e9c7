/** Two towers small enough for tests, and batches for them. */
import type { ClipConfig } from "../../../../recipes/tiny/towers/clipGraph.js";
import { elementCount } from "../../../../src/base/dtypes.js";
import { randomStream } from "../../../../src/base/random.js";
import type { Feeds } from "../../../../src/learn/learner.js";
import { mpt } from "../../../../src/models/mpt.js";

const block = { layers: 2, heads: 2, mlpRatio: 4, activation: "gelu" } as const;
export const clip: ClipConfig = {
  vision: { imageSize: 16, patchSize: 8, hiddenSize: 16, ...block },
  text: { contextLength: 6, vocabulary: 20, hiddenSize: 12, features: 8, ...block },
};

export const mptConfig = {
  ...{ layers: 2, hiddenSize: 16, heads: 2, mlpRatio: 4, vocabulary: 24, contextLength: 32, alibiMax: 8 },
};
export const language = mpt(mptConfig);

/** Four images of three classes, and one of none, with their texts; the second and the fourth text are the same. */
export function clipBatch(step = 0): Feeds {
  const random = randomStream(1, "a batch of images");
  const pixels = Float32Array.from({ length: 4 * 3 * 16 * 16 }, (_, i) => random.normal(i, step));
  const ids = [
    ...[18, 3, 4, 19, 0, 0],
    ...[18, 5, 19, 0, 0, 0],
    ...[18, 6, 7, 8, 9, 19],
    ...[18, 5, 19, 0, 0, 0],
  ];
  return {
    pixels: { dtype: "float32", shape: [4, 3, 16, 16], data: pixels },
    ids: int32([4, 6], ids),
    labels: int32([4], [0, 2, -1, 1]),
  };
}

/** Two rows of seven tokens, of which the last three of the second count for nothing. */
export function languageBatch(step = 0): Feeds {
  const random = randomStream(1, "a batch of text");
  const ids = Array.from({ length: 16 }, (_, i) => Math.floor(24 * random.uniform(i, step)));
  const row = (from: number) => [...ids.slice(from, from + 7), ...ids.slice(8 + from, 15 + from)];
  const weights = Float32Array.from({ length: 14 }, (_, i) => (i < 11 ? (i === 3 ? 0.5 : 1) : 0));
  return {
    ids: int32([2, 7], row(0)),
    targets: int32([2, 7], row(1)),
    weights: { dtype: "float32", shape: [2, 7], data: weights },
  };
}

const int32 = (shape: readonly number[], data: readonly number[]) => ({
  ...{ dtype: "int32" as const, shape },
  data: Int32Array.from(data.slice(0, elementCount(shape))),
});
