/** Cases of the operators that move numbers. */
import {
  concatTwo,
  minus,
  pad,
  reshape,
  slice,
  split,
  type Tensor,
  times,
  transpose,
} from "../../../src/graph/index.js";
import { array, at, type Plain, permuted } from "../arrays.js";
import { type Cases, floats, type Given, ints, testCase } from "./cases.js";

/** The numbers of x along an axis, from `start` up to `end`; 0 where x has none. */
const part = (x: Plain, axis: number, start: number, end: number): Plain =>
  array(x.shape.with(axis, end - start), (...index) => {
    const i = index[axis]! + start;
    return i < 0 || i >= x.shape[axis]! ? 0 : at(x, ...index.with(axis, i));
  });

const reshaped = (
  what: string,
  x: Given,
  shape: (b: Tensor["shape"][number], t: Tensor["shape"][number]) => Tensor["shape"],
  plainShape: (b: number, t: number) => readonly number[],
) =>
  testCase(
    what,
    { x },
    (given) => reshape(given.x, { shape: shape(given.x.shape[0]!, given.x.shape[1]!) }),
    (given) => ({ shape: plainShape(given.x.shape[0]!, given.x.shape[1]!), data: given.x.data }),
  );

const reordered = (what: string, x: Given, order: readonly number[]) =>
  testCase(
    what,
    { x },
    (given) => transpose(given.x, { order }),
    (given) => permuted(given.x, order),
  );

export const layout: Cases = {
  reshape: [
    reshaped(
      "axes joined",
      floats(["b", "t", 6]),
      (b, t) => [times(b, t), 6],
      (b, t) => [b * t, 6],
    ),
    reshaped(
      "an axis split",
      floats(["b", "t", 6]),
      (b, t) => [b, t, 2, 3],
      (b, t) => [b, t, 2, 3],
    ),
    reshaped(
      "named axes in other places",
      floats(["b", "t", 2]),
      (b, t) => [2, t, b],
      (b, t) => [2, t, b],
    ),
    reshaped(
      "numbers moved from axis to axis",
      floats(["b", 4]),
      (b) => [times(2, b), 2],
      (b) => [2 * b, 2],
    ),
    reshaped(
      "one number as a scalar",
      floats([1, 1]),
      () => [],
      () => [],
    ),
    reshaped(
      "whole numbers",
      ints(["b", "t"], [-9, 9]),
      (b, t) => [times(b, t)],
      (b, t) => [b * t],
    ),
  ],
  transpose: [
    reordered("a matrix", floats(["b", "t"]), [1, 0]),
    reordered("four axes, none in its place", floats(["b", 2, "t", 3]), [2, 3, 1, 0]),
    reordered("a circle of three", floats(["b", "t", 2]), [1, 2, 0]),
    reordered("a vector", floats(["b"]), [0]),
    reordered("whole numbers", ints([2, "t"], [-9, 9]), [1, 0]),
  ],
  slice: [
    testCase(
      "inside a fixed axis",
      { x: floats(["b", 5]) },
      ({ x }) => slice(x, { axis: 1, start: 1, end: 4 }),
      ({ x }) => part(x, 1, 1, 4),
    ),
    testCase(
      "the last of a named axis",
      { x: floats(["b", "t", 2]) },
      ({ x }) => slice(x, { axis: -2, start: minus(x.shape[1]!, 1), end: x.shape[1]! }),
      ({ x }) => part(x, 1, x.shape[1]! - 1, x.shape[1]!),
    ),
    testCase(
      "all of it",
      { x: floats(["t"]) },
      ({ x }) => slice(x, { axis: 0, start: 0, end: x.shape[0]! }),
      ({ x }) => x,
    ),
    testCase(
      "nothing of it",
      { x: floats([3, "t"]) },
      ({ x }) => slice(x, { axis: 0, start: 2, end: 2 }),
      ({ x }) => part(x, 0, 2, 2),
    ),
    testCase(
      "whole numbers",
      { x: ints(["b", 3], [-9, 9]) },
      ({ x }) => slice(x, { axis: 1, start: 2, end: 3 }),
      ({ x }) => part(x, 1, 2, 3),
    ),
  ],
  pad: [
    testCase(
      "before and after",
      { x: floats(["b", 2, "t"]) },
      ({ x }) => pad(x, { axis: 1, before: 2, after: 1 }),
      ({ x }) => part(x, 1, -2, 3),
    ),
    testCase(
      "as much as a named size",
      { x: floats(["b", "t"]) },
      ({ x }) => pad(x, { axis: -1, before: x.shape[0]!, after: 0 }),
      ({ x }) => part(x, 1, -x.shape[0]!, x.shape[1]!),
    ),
    testCase(
      "whole numbers",
      { x: ints(["t"], [1, 9]) },
      ({ x }) => pad(x, { axis: 0, before: 0, after: 2 }),
      ({ x }) => part(x, 0, 0, x.shape[0]! + 2),
    ),
  ],
  concat: [
    testCase(
      "a named axis and a fixed one",
      { a: floats(["b", "t", 2]), b: floats(["b", 3, 2]) },
      ({ a, b }) => concatTwo(a, b, { axis: 1 }),
      ({ a, b }) =>
        array([a.shape[0]!, a.shape[1]! + 3, 2], (i, j, k) =>
          j < a.shape[1]! ? at(a, i, j, k) : at(b, i, j - a.shape[1]!, k),
        ),
    ),
    testCase(
      "along the last axis, counted from behind",
      { a: floats(["b", 1]), b: floats(["b", 2]) },
      ({ a, b }) => concatTwo(a, b, { axis: -1 }),
      ({ a, b }) => array([a.shape[0]!, 3], (i, j) => (j < 1 ? at(a, i, 0) : at(b, i, j - 1))),
    ),
    testCase(
      "whole numbers",
      { a: ints(["t"], [-9, 9]), b: ints(["b"], [-9, 9]) },
      ({ a, b }) => concatTwo(a, b, { axis: 0 }),
      ({ a, b }) => ({ shape: [a.data.length + b.data.length], data: [...a.data, ...b.data] }),
    ),
  ],
  split: [
    testCase(
      "three parts of the last axis",
      { x: floats(["b", "t", 6]) },
      ({ x }) => split(x, { parts: 3, axis: -1 }),
      ({ x }) => [0, 2, 4].map((start) => part(x, 2, start, start + 2)),
    ),
    testCase(
      "two parts of a named axis",
      { x: floats(["b", 2, 3]) },
      ({ x }) => split(reshape(x, { shape: [times(x.shape[0]!, 2), 3] }), { parts: 2, axis: 0 }),
      ({ x }) => {
        const b = x.shape[0]!;
        const flat = { ...x, shape: [2 * b, 3] };
        return [part(flat, 0, 0, b), part(flat, 0, b, 2 * b)];
      },
    ),
    testCase(
      "one part",
      { x: floats([2, "t"]) },
      ({ x }) => split(x, { parts: 1, axis: 0 }),
      ({ x }) => [x],
    ),
    testCase(
      "whole numbers",
      { x: ints([4, "t"], [-9, 9]) },
      ({ x }) => split(x, { parts: 4, axis: 0 }),
      ({ x }) => [0, 1, 2, 3].map((start) => part(x, 0, start, start + 1)),
    ),
  ],
};
