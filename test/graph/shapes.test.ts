/** The error of a model that is written wrongly: the operator, the shapes by name, and the line. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import {
  add,
  attention,
  broadcastTo,
  cachedAttention,
  concat,
  constant,
  createGraph,
  equal,
  gather,
  input,
  iota,
  layerNorm,
  linear,
  logSoftmax,
  matmul,
  max,
  mean,
  mul,
  namedSize,
  output,
  pad,
  plus,
  rearrange,
  reshape,
  rowQuantizedLinear,
  scatterAdd,
  slice,
  softmax,
  split,
  sum,
  takeAlongAxis,
  times,
  transpose,
  weight,
  weightParts,
  where,
} from "../../src/graph/index.js";

const graph = createGraph("wrong");
const other = createGraph("other");
const floats = (name: string, ...shape: (number | string)[]) => input(graph, name, "float32", shape);
const x = floats("x", "b", "t", 6);
const short = floats("short", "b", 5);
const scalar = floats("scalar");
const cache = floats("cache", "b", 2, "capacity", 8);
const halfCache = input(graph, "halfCache", "float16", ["b", 2, "capacity", 8]);
const query = floats("query", "b", "t", 2, 8);
const bias = floats("bias", "b", 3, "t", "total");
const fittingBias = floats("fittingBias", "b", 2, "t", "total");
const ids = input(graph, "ids", "int32", ["b", "t"]);
const start = input(graph, "start", "int32", ["b"]);
const w = weight(graph, "w", [4, 5]);
const inRows = weightParts(graph, "in rows", [4, 5], { bits: 8, block: "row" })[0]!;
const elsewhere = input(other, "elsewhere", "float32", ["b"]);

/** The line of this file in which `here` was called last. */
let line = 0;
const here = <T>(value: T): T => {
  line = Number(/:(\d+):\d+\)?$/.exec(new Error().stack!.split("\n")[2]!)![1]);
  return value;
};

const wrong: Readonly<Record<string, () => unknown>> = {
  "add: (b, t, 6) and (b, 5) do not fit each other on axis 1": () => add(here(x), short),
  "add: one input is float32, another int32": () => add(here(scalar), ids),
  "add: an input comes from graph other, not from wrong": () => add(here(short), elsewhere),
  "equal: one input is int32, another float32": () => equal(here(ids), x),
  "where: the condition is float32, not bool": () => where(here(x), x, 0),
  "where: one input is float32, another int32": () => where(here(equal(ids, 1)), scalar, ids),

  "sum: (b, 5) has no axis 2": () => sum(here(short), { axes: [2] }),
  "max: (b, 5) has no axis -3": () => max(here(short), { axes: [-3] }),
  "sum: the axes 1, -1 of (b, 5) are not different ones": () => sum(here(short), { axes: [1, -1] }),
  "broadcastTo: (b, 5) does not fit into (b, 1)": () =>
    broadcastTo(here(short), { shape: [namedSize("b"), 1] }),
  "broadcastTo: (b, 5) and (t, 5) do not fit each other on axis 0": () =>
    broadcastTo(here(short), { shape: [namedSize("t"), 5] }),

  "reshape: (b, 5) does not hold as many numbers as (b, 6)": () =>
    reshape(here(short), { shape: [namedSize("b"), 6] }),
  "transpose: 0,2 is no order of the axes of (b, 5)": () => transpose(here(short), { order: [0, 2] }),
  "transpose: 0,0 is no order of the axes of (b, 5)": () => transpose(here(short), { order: [0, 0] }),
  "slice: 2 to 6 is no part of axis 1 of (b, 5)": () => slice(here(short), { axis: 1, start: 2, end: 6 }),
  "slice: 3 to 1 is no part of axis 0 of (b, 5)": () => slice(here(short), { axis: 0, start: 3, end: 1 }),
  "slice: 3 to 1 is no part of axis 1 of (b, 5)": () => slice(here(short), { axis: 1, start: 3, end: 1 }),
  "slice: -1 to 1 is no part of axis 0 of (b, 5)": () => slice(here(short), { axis: 0, start: -1, end: 1 }),
  "slice: 0 to b + 1 is no part of axis 0 of (b, 5)": () =>
    slice(here(short), { axis: 0, start: 0, end: plus(short.shape[0]!, 1) }),
  "slice: b to 0 is no part of axis 0 of (b, 5)": () =>
    slice(here(short), { axis: 0, start: short.shape[0]!, end: 0 }),
  "slice: 2·t to t is no part of axis 1 of (b, t, 6)": () =>
    slice(here(x), { axis: 1, start: times(2, x.shape[1]!), end: x.shape[1]! }),
  "slice: 0 to b·t + 1 is no part of axis 0 of (b·t, 6)": () => {
    const flat = reshape(x, { shape: [times(x.shape[0]!, x.shape[1]!), 6] });
    return slice(here(flat), { axis: 0, start: 0, end: plus(flat.shape[0]!, 1) });
  },
  "pad: -1 and 0 are not both lengths": () => pad(here(short), { axis: 0, before: -1, after: 0 }),
  "pad: 1 and -b are not both lengths": () =>
    pad(here(short), { axis: 1, before: 1, after: times(-1, short.shape[0]!) }),
  "reshape: the result (-b, -5) has the negative size -b": () =>
    reshape(here(short), { shape: [times(-1, short.shape[0]!), -5] }),
  "iota: the result (-2) has the negative size -2": () => iota(here(graph), -2),
  "input: the result (3, -1) has the negative size -1": () =>
    input(here(graph), "negative", "float32", [3, -1]),
  "slice: (b, 5) has no axis 2": () => slice(here(short), { axis: 2, start: 0, end: 1 }),
  "pad: (b, 5) has no axis -3": () => pad(here(short), { axis: -3, before: 1, after: 1 }),
  "concat: (b, t, 6) and (b, 5) differ off axis 1": () => concat([here(x), short], { axis: 1 }),
  "concat: one input is float32, another int32": () =>
    concat([here(floats("y", "b", "t")), ids], { axis: 0 }),
  "concat: nothing to join": () => concat(here([]), { axis: 0 }),
  "split: axis -1 of (b, 5) (5) is not 2 equal parts": () => split(here(short), { parts: 2, axis: -1 }),
  "split: axis 0 of (b, 5) (b) is not 2 equal parts": () => split(here(short), { parts: 2, axis: 0 }),

  "gather: rows are float32, not int32": () => gather(here(w), short),
  "gather: a scalar has no rows": () => gather(here(scalar), ids),
  "scatterAdd: rows are float32, not int32": () => scatterAdd(here(short), short, { count: 3 }),
  "scatterAdd: (b, 5) does not begin with (b, t)": () => scatterAdd(here(ids), short, { count: 3 }),
  "takeAlongAxis: indices are float32, not int32": () => takeAlongAxis(here(x), short),
  "takeAlongAxis: (b, 5) has no index for each of (b, t)": () => takeAlongAxis(here(short), ids),
  "takeAlongAxis: () has no index for each of ()": () =>
    takeAlongAxis(here(scalar), constant(graph, 0, { dtype: "int32" })),

  "matmul: (b, 5) and (4, 5) do not multiply": () => matmul(here(short), w),
  "matmul: () and (4, 5) do not multiply": () => matmul(here(scalar), w),
  "linear: x (b, t, 6) is not as wide as the weight (4, 5) expects": () => linear(here(x), w, undefined),
  "linear: x () has no rows": () => linear(here(scalar), w, undefined),
  "linear: the bias () does not fit the weight (4, 5)": () => linear(here(short), w, scalar),
  "rowQuantizedLinear: x (b, t, 6) is not as wide as the weight (5, 4) expects": () =>
    rowQuantizedLinear(here(x), inRows.values, inRows.scales),
  "rowQuantizedLinear: values float32 (4, 5) and scales (4) are no weight in rows": () =>
    rowQuantizedLinear(here(short), w, inRows.scales),
  "softmax: (b, 5) has no axis 2": () => softmax(here(short), { axis: 2 }),
  "logSoftmax: () has no axis -1": () => logSoftmax(here(scalar), { axis: -1 }),
  "layerNorm: x (b, t, 6) does not end in ()": () => layerNorm(here(x), scalar, undefined, { epsilon: 1 }),
  "mean: the number of values in (b, t, 6) along 1 is not fixed": () =>
    mean.op.decomposition!({ x: here(x) }, { axes: [1] }, [x], graph),
  "attention: queries (b, t, 6), keys (b, 5) and values (b, 5) do not fit": () =>
    attention(here(x), short, short, undefined, { scale: 1 }),
  "attention: queries (), keys () and values () do not fit": () =>
    attention(here(scalar), scalar, scalar, undefined, { scale: 1 }),
  "attention: the bias (7, b, b) is larger than the scores (b, b)": () =>
    attention(here(short), short, short, floats("wide", 7, "b", "b"), { scale: 1 }),
  "cachedAttention: queries float32 (b, t, 2, 8), keys float32 (b, t, 2, 8), values float32 (b, t, 2, 8), pastKeys float32 (b, 2, capacity, 8), pastValues float32 (b, 2, capacity, 8), start int32 (b), bias float32 (b, 3, t, total) do not fit":
    () => cachedAttention(here(query), query, query, cache, cache, start, bias, { scale: 1 }),
  "cachedAttention: queries float32 (b, t, 2, 8), keys float32 (b, t, 2, 8), values float32 (b, t, 2, 8), pastKeys float16 (b, 2, capacity, 8), pastValues float16 (b, 2, capacity, 8), start int32 (b), bias float32 (b, 2, t, total) do not fit":
    () => cachedAttention(here(query), query, query, halfCache, halfCache, start, fittingBias, { scale: 1 }),
  "rearrange: (b, 5) does not have the 3 axes of the pattern": () => rearrange(here(short), "a b c -> c b a"),

  "constant: Infinity is no float16": () =>
    constant(here(graph), Number.POSITIVE_INFINITY, { dtype: "float16" }),
  "constant: -1e+30 is no float16": () => constant(here(graph), -1e30, { dtype: "float16" }),
  "constant: 65520 is no float16": () => constant(here(graph), [1, 65_520], { dtype: "float16" }),
  "constant: 1e-8 is no float16": () => constant(here(graph), 1e-8, { dtype: "float16" }),
  "constant: 1e+39 is no float32": () => constant(here(graph), 1e39),
  "constant: 1e-46 is no float32": () => constant(here(graph), 1e-46),
  "constant: 3.4e+38 is no bfloat16": () => constant(here(graph), 3.4e38, { dtype: "bfloat16" }),
  "constant: 128 is no int8": () => constant(here(graph), 128, { dtype: "int8" }),
  "constant: -1 is no uint8": () => constant(here(graph), -1, { dtype: "uint8" }),
  "constant: 32768 is no int16": () => constant(here(graph), 32_768, { dtype: "int16" }),
  "constant: 2147483648 is no int32": () => constant(here(graph), 2 ** 31, { dtype: "int32" }),
  "constant: 9007199254740992 is no int64": () => constant(here(graph), 2 ** 53, { dtype: "int64" }),
  "constant: 2 is no bool": () => constant(here(graph), 2, { dtype: "bool" }),
  "constant: NaN is no int32": () => constant(here(graph), Number.NaN, { dtype: "int32" }),
  "constant: NaN is no float32": () => constant(here(graph), Number.NaN),
  "constant: 0.5 is no int32": () => mul(here(ids), 0.5),
  "constant: 3 numbers do not fill (2, 2)": () => constant(here(graph), [1, 2, 3], { shape: [2, 2] }),
  "input: x is float32 (b, t, 6) and also float32 (b, 7)": () => input(here(graph), "x", "float32", ["b", 7]),
  "input: x is float32 (b, t, 6) and also int32 (b, t, 6)": () =>
    input(here(graph), "x", "int32", ["b", "t", 6]),
  "weight: w is float32 (4, 5) and also float32 (5, 4)": () => weight(here(graph), "w", [5, 4]),
  "weight: the name x is taken": () => weight(here(graph), "x", [1]),
  "output: the name w is taken": () => output(here(graph), "w", x),
};

describe("a wrong model", () => {
  test.each(Object.entries(wrong))("%s", (message, write) => {
    const error = caught(write);
    expect(error.message).toBe(`${message} (at graph/shapes.test.ts:${line})`);
    expect(error.code).toBe("shape");
  });

  test("the line is that of the source, not of what it was compiled to", () => {
    const error = caught(() => matmul(short, /* this very line */ w));
    const source = readFileSync(fileURLToPath(import.meta.url), "utf8").split("\n");
    const number = source.findIndex((each) => each.includes("/* this " + "very line */")) + 1;
    expect(error.message).toContain(`shapes.test.ts:${number})`);
  });
});

function caught(write: () => unknown): OpenFlamingoError {
  try {
    write();
  } catch (error) {
    if (error instanceof OpenFlamingoError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
