/** Cases of softmax, its logarithm, and layer normalisation. */
import { layerNorm, logSoftmax, softmax, type Tensor } from "../../../src/graph/index.js";
import { array, at, overRows, type Plain, permuted, sumOf } from "../arrays.js";
import { type Case, type Cases, exactly, floats, testCase } from "./cases.js";
import { softmaxOf } from "./formulas.js";

const alongAxis = (
  write: (x: Tensor, attributes: { axis: number }) => Tensor,
  f: (row: readonly number[]) => readonly number[],
): readonly Case[] => [
  testCase(
    "the last axis",
    { x: floats(["b", "t", 4]) },
    ({ x }) => write(x, { axis: -1 }),
    ({ x }) => overRows(x, f),
  ),
  testCase(
    "a named axis in the middle",
    { x: floats(["b", "t", 2]) },
    ({ x }) => write(x, { axis: 1 }),
    ({ x }) => permuted(overRows(permuted(x, [0, 2, 1]), f), [0, 2, 1]),
  ),
  testCase(
    "an axis of size 1",
    { x: floats(["b", 1]) },
    ({ x }) => write(x, { axis: 1 }),
    ({ x }) => overRows(x, f),
  ),
  testCase(
    "numbers whose powers overflow",
    { x: exactly("float32", [2, 3], [1000, 999, 998, -1000, -999, -1001]) },
    ({ x }) => write(x, { axis: -1 }),
    ({ x }) => overRows(x, f),
  ),
];

/** (x − mean) / √(variance + ε) · scale + bias of every row. */
const normalised = (x: Plain, epsilon: number, scale: Plain, bias?: Plain): Plain =>
  overRows(x, (row) => {
    const mean = sumOf(row) / row.length;
    const variance = sumOf(row.map((value) => (value - mean) ** 2)) / row.length;
    return row.map(
      (value, i) =>
        ((value - mean) / Math.sqrt(variance + epsilon)) * at(scale, i) + (bias ? at(bias, i) : 0),
    );
  });

export const normalize: Cases = {
  softmax: alongAxis(softmax, softmaxOf),
  logSoftmax: alongAxis(logSoftmax, (row) => {
    const largest = Math.max(...row);
    const logarithm = largest + Math.log(sumOf(row.map((x) => Math.exp(x - largest))));
    return row.map((x) => x - logarithm);
  }),
  layerNorm: [
    testCase(
      "with scale and bias",
      { x: floats(["b", "t", 5]), scale: floats([5]), bias: floats([5]) },
      ({ x, scale, bias }) => layerNorm(x, scale, bias, { epsilon: 1e-5 }),
      ({ x, scale, bias }) => normalised(x, 1e-5, scale, bias),
    ),
    testCase(
      "without a bias, and another ε",
      { x: floats(["t", 3]), scale: floats([3]) },
      ({ x, scale }) => layerNorm(x, scale, undefined, { epsilon: 0.1 }),
      ({ x, scale }) => normalised(x, 0.1, scale),
    ),
    testCase(
      "one row",
      { x: floats([6]), scale: floats([6]), bias: floats([6]) },
      ({ x, scale, bias }) => layerNorm(x, scale, bias, { epsilon: 1e-5 }),
      ({ x, scale, bias }) => normalised(x, 1e-5, scale, bias),
    ),
    testCase(
      "rows of one number are all bias",
      { x: floats(["b", 1]), scale: floats([1]), bias: floats([1]) },
      ({ x, scale, bias }) => layerNorm(x, scale, bias, { epsilon: 1e-5 }),
      ({ x, bias }) => array(x.shape, () => at(bias, 0)),
    ),
  ],
};
