/** Cases of sums, means, maxima and repetition. */
import {
  broadcastTo,
  max,
  mean,
  namedSize,
  sum,
  sumOfSquares,
  type Tensor,
} from "../../../src/graph/index.js";
import { array, at, type Plain, sumOf } from "../arrays.js";
import { type Case, type Cases, floats, type Given, ints, testCase } from "./cases.js";

interface Reduction {
  readonly axes: readonly number[];
  readonly keep?: boolean;
}

/** Reduces along axes counted from 0: gathers what falls on each place of the result. */
function reduced(
  x: Plain,
  axes: readonly number[],
  keep: boolean,
  f: (values: readonly number[]) => number,
): Plain {
  const small = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const groups = new Map<string, number[]>();
  array(x.shape, (...index) => {
    const place = index.map((i, axis) => (axes.includes(axis) ? 0 : i)).join();
    groups.set(place, [...(groups.get(place) ?? []), at(x, ...index)]);
    return 0;
  });
  const result = array(small, (...index) => f(groups.get(index.join())!));
  return keep ? result : { ...result, shape: x.shape.filter((_, axis) => !axes.includes(axis)) };
}

/** @param axes counted from 0, as `attributes.axes` need not be */
const reduction = (
  what: string,
  x: Given,
  write: (x: Tensor, attributes: Reduction) => Tensor,
  attributes: Reduction,
  f: (values: readonly number[]) => number,
  axes = attributes.axes,
): Case =>
  testCase(
    what,
    { x },
    (given) => write(given.x, attributes),
    (given) => reduced(given.x, axes, attributes.keep ?? false, f),
  );

const squaresOf = (values: readonly number[]) => sumOf(values.map((value) => value ** 2));
const averageOf = (values: readonly number[]) => sumOf(values) / values.length;
const largestOf = (values: readonly number[]) => Math.max(...values);

export const reduce: Cases = {
  sum: [
    reduction("the first axis", floats(["b", 3]), sum, { axes: [0] }, sumOf),
    reduction("the last, kept", floats(["b", "t", 3]), sum, { axes: [-1], keep: true }, sumOf, [2]),
    reduction("axes that do not touch", floats(["b", 2, "t"]), sum, { axes: [0, 2] }, sumOf),
    reduction("all axes", floats(["b", "t"]), sum, { axes: [1, 0] }, sumOf),
    reduction("no axis", floats(["b", 2]), sum, { axes: [] }, sumOf),
    reduction("an axis of size 1", floats(["b", 1]), sum, { axes: [1] }, sumOf),
    reduction("whole numbers", ints(["b", "t"], [-9, 9]), sum, { axes: [1] }, sumOf),
  ],
  sumOfSquares: [
    reduction("the only axis", floats(["b"]), sumOfSquares, { axes: [0] }, squaresOf),
    reduction("the last, kept", floats(["b", 3]), sumOfSquares, { axes: [-1], keep: true }, squaresOf, [1]),
    reduction("axes that do not touch", floats(["b", 2, "t"]), sumOfSquares, { axes: [0, 2] }, squaresOf),
    reduction("no axis", floats(["b", 2]), sumOfSquares, { axes: [] }, squaresOf),
  ],
  mean: [
    reduction("the last axis", floats(["b", "t", 4]), mean, { axes: [-1] }, averageOf, [2]),
    reduction("two axes, kept", floats(["b", 2, 3]), mean, { axes: [1, 2], keep: true }, averageOf),
    reduction("an axis of size 1", floats(["b", 1]), mean, { axes: [1] }, averageOf),
  ],
  max: [
    reduction("the last axis", floats(["b", "t", 4]), max, { axes: [-1] }, largestOf, [2]),
    reduction("a named axis, kept", floats(["b", "t", 2]), max, { axes: [1], keep: true }, largestOf),
    reduction("all axes", floats([2, 3]), max, { axes: [0, 1] }, largestOf),
    reduction("no axis", floats(["b", 2]), max, { axes: [] }, largestOf),
    reduction("whole numbers", ints(["b", "t"], [-9, 9]), max, { axes: [0] }, largestOf),
  ],
  broadcastTo: [
    testCase(
      "new axes in front",
      { x: floats([3]), sizes: ints(["b", "t"], [0, 1]) },
      ({ x }) => broadcastTo(x, { shape: [namedSize("b"), namedSize("t"), 3] }),
      ({ x, sizes }) => array([...sizes.shape, 3], (...index) => at(x, ...index)),
    ),
    testCase(
      "axes of size 1",
      { x: floats(["b", 1, 2, 1]) },
      ({ x }) => broadcastTo(x, { shape: [x.shape[0]!, 3, 2, 5] }),
      ({ x }) => array([x.shape[0]!, 3, 2, 5], (...index) => at(x, ...index)),
    ),
    testCase(
      "a scalar",
      { x: floats([]) },
      ({ x }) => broadcastTo(x, { shape: [2, 3] }),
      ({ x }) => array([2, 3], () => at(x)),
    ),
    testCase(
      "whole numbers",
      { x: ints(["t"], [-9, 9]) },
      ({ x }) => broadcastTo(x, { shape: [2, x.shape[0]!] }),
      ({ x }) => array([2, ...x.shape], (...index) => at(x, ...index)),
    ),
  ],
};
