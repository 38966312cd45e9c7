/** Options of training data: every one is checked, and all faults are named at once. */
import { expect, test } from "vitest";
import { parseDataOptions, type TrainingDataOptions } from "../../src/data/options.js";

const least = { shards: "a.tar", kind: "captions", batch: 2 } as const;
const parse = (more: Partial<TrainingDataOptions> | Record<string, unknown>) =>
  parseDataOptions({ ...least, ...more } as TrainingDataOptions);

test("the defaults are those of the publication, but for its habits and its threshold", () => {
  expect(parse({})).toMatchObject({
    ...{
      seed: 42,
      rank: 0,
      worldSize: 1,
      resampled: false,
      passes: Number.POSITIVE_INFINITY,
      keepLast: false,
    },
    ...{
      shuffle: 5000,
      shuffleInitial: 1000,
      maxTokens: 32,
      similarityThreshold: 0.24,
      minImages: 1,
      maxImages: 6,
    },
    ...{ minImageBytes: 11_000, flip: true, imagesInIndexOrder: false, flipWholeBatch: false },
    ...{ cutBeforeLastImage: false, specialTokensInText: false, decodeAhead: 32, batchesAhead: 2 },
  });
  expect(parse({ kind: "documents", batch: 16 })).toMatchObject({ maxTokens: 256 });
});

test("every wrong option is named", () => {
  const wrong = { shards: [], kind: "images", batch: 0, seed: -1, similarityThreshold: "0.24", flips: true };
  expect(() => parse(wrong)).toThrow(
    /^training data: shards .*; kind .*; batch .*; seed .*; similarityThreshold .*; "flips" is no key/,
  );
  for (const [name, value] of [
    ...["rank", "worldSize", "passes", "shuffle", "maxTokens", "maxImages", "minImages"].map((each) => [
      each,
      -1,
    ]),
    ...["resampled", "keepLast", "flip", "flipWholeBatch", "imagesInIndexOrder"].map((each) => [each, "yes"]),
    ...[
      ["maxFaultShare", 1.1],
      ["minFaults", 0],
      ["batchesAhead", 65],
      ["decodeAhead", 0],
      ["onSkip", 1],
      ["endOfText", ""],
    ],
    ...[
      ["batch", 1.5],
      ["maxTokens", 3],
      ["shards", ""],
      ["shards", [""]],
      ["passes", 0.5],
    ],
  ] as [string, unknown][]) {
    expect(() => parse({ [name]: value })).toThrow(new RegExp(`^training data: ${name}`));
  }
});

test("ranks count from 0, and rows have room for the longest sample", () => {
  expect(() => parse({ rank: 2, worldSize: 2 })).toThrow("rank is 2, worldSize is 2");
  expect(parse({ rank: 1, worldSize: 2 }).rank).toBe(1);
  expect(() => parse({ padTokens: 31 })).toThrow("padTokens is 31, maxTokens is 32");
  expect(parse({ padTokens: 32 }).padTokens).toBe(32);
});
