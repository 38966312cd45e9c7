/** Cases of the operators that work on each number by itself. */
import {
  add,
  cast,
  cos,
  div,
  equal,
  erf,
  exp,
  less,
  log,
  mul,
  neg,
  round,
  sigmoid,
  sin,
  sqrt,
  sub,
  type Tensor,
  tanh,
  where,
} from "../../../src/graph/index.js";
import { map } from "../arrays.js";
import { bools, type Case, type Cases, exactly, floats, type Given, ints, testCase } from "./cases.js";
import { errorFunction } from "./formulas.js";

/** Two inputs of the same shape, of shapes that are broadcast both ways, and a plain number on either side. */
function binary(
  write: (a: Tensor | number, b: Tensor | number) => Tensor,
  f: (a: number, b: number) => number,
  range: readonly [number, number] = [-1, 1],
): readonly Case[] {
  const pair = (what: string, a: Given, b: Given) =>
    testCase(
      what,
      { a, b },
      (x) => write(x.a, x.b),
      (x) => map(f, x.a, x.b),
    );
  const alone = (what: string, one: (x: Tensor) => Tensor, value: (x: number) => number) =>
    testCase(
      what,
      { x: floats(["b", 3], range) },
      ({ x }) => one(x),
      ({ x }) => map(value, x),
    );
  return [
    pair("equal shapes", floats(["b", "t", 3], range), floats(["b", "t", 3], range)),
    pair("each repeated along an axis of the other", floats(["b", 1, 3], range), floats(["t", 1], range)),
    pair("a scalar and a matrix", floats([], range), floats(["b", 2], range)),
    alone(
      "a number on the right",
      (x) => write(x, 2),
      (x) => f(x, 2),
    ),
    alone(
      "a number on the left",
      (x) => write(2, x),
      (x) => f(2, x),
    ),
  ];
}

const wholeNumbers = (
  write: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  b: Given = ints([3], [-9, 9]),
) =>
  testCase(
    "whole numbers",
    { a: ints(["b", 3], [-9, 9]), b },
    (x) => write(x.a, x.b),
    (x) => map(f, x.a, x.b),
  );

/** A function of one number, over a tensor of three axes and a scalar. */
const unary = (
  write: (x: Tensor) => Tensor,
  f: (x: number) => number,
  range: readonly [number, number] = [-2, 2],
): readonly Case[] =>
  [["b", "t", 2], []].map((shape) =>
    testCase(
      shape.length > 0 ? "every number" : "a scalar",
      { x: floats(shape, range) },
      ({ x }) => write(x),
      ({ x }) => map(f, x),
    ),
  );

/** A comparison of floats, broadcast, and of whole numbers, some of which are equal. */
const comparison = (
  write: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => boolean,
): readonly Case[] => [
  testCase(
    "numbers with some that are equal",
    { a: exactly("float32", [2, 3], [1, 2, 3, -1, -0.5, 0]), b: exactly("float32", [3], [1, -2, 0]) },
    ({ a, b }) => write(a, b),
    ({ a, b }) => map((x, y) => Number(f(x!, y!)), a, b),
  ),
  wholeNumbers(write, (a, b) => Number(f(a, b)), ints(["t", 1, 3], [-2, 2])),
];

export const elementwise: Cases = {
  add: [...binary(add, (a, b) => a + b), wholeNumbers(add, (a, b) => a + b)],
  sub: [...binary(sub, (a, b) => a - b), wholeNumbers(sub, (a, b) => a - b)],
  mul: [...binary(mul, (a, b) => a * b), wholeNumbers(mul, (a, b) => a * b)],
  div: [
    ...binary(div, (a, b) => a / b, [0.5, 2]),
    wholeNumbers(div, (a, b) => Math.trunc(a / b), exactly("int32", [3], [-2, 4, 7])),
  ],
  neg: [
    ...unary(neg, (x) => -x),
    testCase(
      "whole numbers",
      { x: ints(["b"], [-9, 9]) },
      ({ x }) => neg(x),
      ({ x }) => map((value) => 0 - value!, x),
    ),
  ],
  round: [
    testCase(
      "halves go to the even neighbour",
      { x: exactly("float32", [2, 4], [0.5, 1.5, 2.5, -0.5, -1.5, 1.4, -1.6, 7]) },
      ({ x }) => round(x),
      () => ({ shape: [2, 4], data: [0, 2, 2, -0, -2, 1, -2, 7] }),
    ),
  ],
  exp: unary(exp, Math.exp),
  log: unary(log, Math.log, [0.2, 3]),
  sqrt: unary(sqrt, Math.sqrt, [0.2, 3]),
  tanh: unary(tanh, Math.tanh),
  cos: unary(cos, Math.cos, [-50, 50]),
  sin: unary(sin, Math.sin, [-50, 50]),
  sigmoid: unary(sigmoid, (x) => 1 / (1 + Math.exp(-x))),
  erf: unary(erf, errorFunction),
  equal: comparison(equal, (a, b) => a === b),
  less: comparison(less, (a, b) => a < b),
  where: [
    testCase(
      "all three broadcast",
      { condition: bools(["b", 1, 3]), a: floats(["t", 1]), b: floats([3]) },
      ({ condition, a, b }) => where(condition, a, b),
      ({ condition, a, b }) => map((c, x, y) => (c ? x! : y!), condition, a, b),
    ),
    testCase(
      "whole numbers, and a number instead of the last",
      { condition: bools(["b", 3]), a: ints([3], [-9, 9]) },
      ({ condition, a }) => where(condition, a, 7),
      ({ condition, a }) => map((c, x) => (c ? x! : 7), condition, a),
    ),
  ],
  cast: [
    testCase(
      "to whole numbers, towards zero",
      { x: exactly("float32", [5], [-2.75, -0.5, 0, 0.99, 3]) },
      ({ x }) => cast(x, { to: "int32" }),
      () => ({ shape: [5], data: [-2, 0, 0, 0, 3] }),
    ),
    testCase(
      "truth values to 1 and 0",
      { x: bools(["b", "t"]) },
      ({ x }) => cast(x, { to: "float32" }),
      ({ x }) => x,
    ),
    testCase(
      "whole numbers to floats",
      { x: ints(["b", 2], [-9, 9]) },
      ({ x }) => cast(x, { to: "float32" }),
      ({ x }) => x,
    ),
    testCase(
      "to double precision",
      { x: floats(["b", 2]) },
      ({ x }) => cast(x, { to: "float64" }),
      ({ x }) => x,
    ),
  ],
};
