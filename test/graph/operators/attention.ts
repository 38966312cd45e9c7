/** Cases of attention; `test/graph/cachedAttention.test.ts` has more of the cache. */
import { attention as attend, cachedAttention } from "../../../src/graph/index.js";
import { type Cases, floats, type Given, testCase } from "./cases.js";
import { attentionOf, cachedAttentionOf } from "./formulas.js";

const noBias = { shape: [], data: [0] };

/** All rows begin at the same slot: `total − t`. */
const start: Given = {
  dtype: "int32",
  shape: ["b"],
  values: (shape, _, sizes) => ({ shape, data: Array(shape[0]!).fill(sizes.total! - sizes.t!) }),
};

export const attention: Cases = {
  attention: [
    testCase(
      "without a bias, values of another width",
      { queries: floats(["b", 2, "t", 3]), keys: floats(["b", 2, 5, 3]), values: floats(["b", 2, 5, 4]) },
      ({ queries, keys, values }) => attend(queries, keys, values, undefined, { scale: 0.5 }),
      ({ queries, keys, values }) => attentionOf(queries, keys, values, noBias, 0.5),
    ),
    testCase(
      "a bias that is broadcast over rows",
      {
        queries: floats(["b", 2, "t", 3]),
        keys: floats(["b", 2, "t", 3]),
        values: floats(["b", 2, "t", 3]),
        bias: floats([2, 1, "t"]),
      },
      ({ queries, keys, values, bias }) => attend(queries, keys, values, bias, { scale: 1 }),
      ({ queries, keys, values, bias }) => attentionOf(queries, keys, values, bias, 1),
    ),
    testCase(
      "keys and values that all of a batch share",
      { queries: floats(["b", "t", 2]), keys: floats([3, 2]), values: floats([3, 2]) },
      ({ queries, keys, values }) => attend(queries, keys, values, undefined, { scale: 2 }),
      ({ queries, keys, values }) => attentionOf(queries, keys, values, noBias, 2),
    ),
    testCase(
      "one query, one key: the value itself",
      { queries: floats(["b", 1, 3]), keys: floats(["b", 1, 3]), values: floats(["b", 1, 3]) },
      ({ queries, keys, values }) => attend(queries, keys, values, undefined, { scale: 1 }),
      ({ values }) => values,
    ),
  ],
  cachedAttention: ([8, 6] as const).map((e) =>
    testCase(
      `heads ${e} wide`,
      {
        queries: floats(["b", "t", 2, e]),
        keys: floats(["b", "t", 2, e]),
        values: floats(["b", "t", 2, e]),
        pastKeys: floats(["b", 2, "total", e]),
        pastValues: floats(["b", 2, "total", e]),
        start,
        bias: floats([1, 2, "t", "total"]),
      },
      (x) =>
        cachedAttention(x.queries, x.keys, x.values, x.pastKeys, x.pastValues, x.start, x.bias, {
          scale: 0.4,
        }),
      (x) => cachedAttentionOf(x, 0.4),
      [
        { b: 2, t: 3, total: 3 }, // from the beginning
        { b: 2, t: 1, total: 4 }, // one more token
        { b: 1, t: 2, total: 5 }, // several more: the kernel takes one row
      ],
    ),
  ),
};
