/** From a graph to a program: ports, aliases, weights and names, and what the backend makes of them. */
import { describe, expect, test } from "vitest";
import { type DType, halfToFloat } from "../../src/base/dtypes.js";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { bfloat16ToFloat } from "../../src/base/halfPrecision.js";
import {
  add,
  broadcastTo,
  cachedAttention,
  constant,
  createGraph,
  type Dim,
  evaluateDim,
  type Graph,
  input,
  instructionOf,
  isSource,
  linear,
  minus,
  mul,
  namedSize,
  neg,
  output,
  plus,
  rearrange,
  reshape,
  slice,
  split,
  splitInto,
  sum,
  tanh,
  times,
  weight,
} from "../../src/graph/index.js";
import { defineOp, type Operator } from "../../src/graph/op.js";
import { compile } from "../../src/onnx/compile.js";
import { lower } from "../../src/onnx/lower.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { host, noise, type Plain, plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";

const backend = useBackend();

/** The values of several sizes. */
const values = (sizes: Readonly<Record<string, number>>) => new Map(Object.entries(sizes));

async function run(
  graph: Graph,
  given: Readonly<Record<string, Plain>>,
  weights: Readonly<Record<string, Plain>> = {},
) {
  await using session = await backend.load(graph, weights);
  const feeds = Object.entries(given).map(([name, x]) => [name, host(x, "float32")]);
  return await session.run(Object.fromEntries(feeds));
}

test("ports are the graph's inputs and outputs, in their order, with sizes by name", () => {
  const graph = createGraph("ports");
  const x = input(graph, "x", "float32", ["b", "t", 4]);
  input(graph, "unused", "int32", ["b", plus(namedSize("past"), namedSize("t"))]);
  input(graph, "scalar", "bool", []);
  const [b, t] = x.shape as [never, never];
  output(graph, "second", reshape(x, { shape: [times(b, t), 4] }));
  output(graph, "first", sum(x, { axes: [0, 1, 2] }));
  const { inputs, outputs, name } = compile(graph).program;

  expect(name).toBe("ports");
  expect(inputs.map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join(" ")}`)).toEqual([
    "x float32 b t 4",
    "unused int32 b past + t",
    "scalar bool ",
  ]);
  expect(outputs.map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join(" ")}`)).toEqual([
    "second float32 b·t 4",
    "first float32 ",
  ]);
  const [, joined] = inputs[1]!.shape;
  if (typeof joined !== "object") throw new Error("not an expression");
  expect(joined.evaluate(values({ past: 5, t: 2 }))).toBe(7);
  expect(() => joined.evaluate(values({ t: 2 }))).toThrow(OpenFlamingoError);
});

test("weights are listed once, as the program has them and as the checkpoint does", () => {
  const graph = createGraph("weights");
  const x = input(graph, "x", "float32", ["b", 12]);
  const kernel = weight(graph, "conv", [5, 3, 2, 2]);
  const y = linear(x, rearrange(kernel, "d c p q -> d (c p q)"), weight(graph, "bias", [5]));
  weight(graph, "unused", [3]);
  output(graph, "y", linear(y, weight(graph, "square", [5, 5]), undefined));
  output(graph, "z", linear(y, weight(graph, "square", [5, 5]), weight(graph, "bias", [5])));
  expect(compile(graph).weights).toEqual([
    { name: "conv→5x12", dtype: "float32", shape: [5, 12], tensor: "conv", from: [5, 3, 2, 2] },
    { name: "bias", dtype: "float32", shape: [5], tensor: "bias", from: [5] },
    { name: "square", dtype: "float32", shape: [5, 5], tensor: "square", from: [5, 5] },
  ]);
});

test("lowering leaves nothing but instructions of the backend", () => {
  const graph = createGraph("lower");
  const x = input(graph, "x", "float32", ["b", 4]);
  output(graph, "y", tanh(linear(x, weight(graph, "w", [4, 4]), undefined)));
  const types = lower(graph).nodes.flatMap(({ op, attributes }) => {
    if (isSource(op)) return [];
    return [instructionOf(op, attributes)!.type];
  });
  expect(types).toEqual(["FusedMatMul", "Tanh"]);
});

test("an operator that nobody can lower is an error of ours", () => {
  const graph = createGraph("unknown");
  const unheardOf: Operator<["x"]> = defineOp({ name: "unheardOf", inputs: ["x"], shape: ({ x }) => x });
  output(graph, "y", unheardOf(input(graph, "x", "float32", ["b"])));
  expect(() => compile(graph)).toThrow("operator unheardOf has no ONNX lowering and no decomposition");
});

describe("outputs", () => {
  const x = noise([3], 1);
  const negative = x.data.map((value) => -value);

  test("a result under two names is computed once and copied", async () => {
    const graph = createGraph("twice");
    const y = neg(input(graph, "x", "float32", ["b"]));
    output(graph, "one", y);
    output(graph, "two", y);
    const { one, two } = await run(graph, { x });
    expect(plain(one!)).toEqual({ shape: [3], data: negative });
    expect(two).toEqual(one);
    expect(two!.data.buffer).not.toBe(one!.data.buffer);
  });

  test("inputs, weights and constants can be outputs", async () => {
    const graph = createGraph("sources");
    output(graph, "same", input(graph, "x", "float32", ["b"]));
    output(graph, "w as it is", weight(graph, "w", [2]));
    output(graph, "c", constant(graph, [1, 2, 3], { dtype: "int32" }));
    const found = await run(graph, { x }, { w: noise([2], 2) });
    expect(plain(found.same!)).toEqual(x);
    expect(plain(found["w as it is"]!)).toEqual(noise([2], 2));
    expect(plain(found.c!)).toEqual({ shape: [3], data: [1, 2, 3] });
  });

  test("one that others read as well keeps its name", async () => {
    const graph = createGraph("between");
    const y = neg(input(graph, "x", "float32", ["b"]));
    output(graph, "between", y);
    output(graph, "last", mul(y, 2));
    const { between, last } = await run(graph, { x });
    expect(plain(between!).data).toEqual(negative);
    expect(plain(last!).data).toEqual(negative.map((value) => 2 * value));
  });

  test("one is written under its own name, and nothing is copied", () => {
    const graph = createGraph("named");
    const [first, second] = splitInto(input(graph, "x", "float32", [4]), 2, { axis: 0 });
    output(graph, "first", first);
    output(graph, "sum", add(first, second));
    const text = (of: Graph) => new TextDecoder("latin1").decode(compile(of).program.bytes);
    expect(text(graph)).not.toContain("Identity");
    output(graph, "again", first);
    expect(text(graph)).toContain("Identity");
  });

  test("each part of a split can be one", async () => {
    const graph = createGraph("parts");
    const parts = split(input(graph, "x", "float32", [3]), { parts: 3, axis: 0 });
    output(graph, "last", parts[2]!);
    output(graph, "first", parts[0]!);
    const { first, last } = await run(graph, { x });
    expect([...first!.data, ...last!.data]).toEqual([x.data[0], x.data[2]]);
  });

  test("names that protobuf and the backend must take as they are", async () => {
    const graph = createGraph("names with spaces, → and %");
    output(graph, "y: −x / %0", neg(input(graph, "%x", "float32", ["b"])));
    expect(plain((await run(graph, { "%x": x }))["y: −x / %0"]!).data).toEqual(negative);
  });
});

test("caches that come back as results may lie in the memory of their inputs", () => {
  const graph = createGraph("cache");
  const tokens = input(graph, "tokens", "float32", ["b", "t", 2, 8]);
  const past = (name: string) => input(graph, name, "float32", ["b", 2, "capacity", 8]);
  const [y, keys, values] = cachedAttention(
    tokens,
    tokens,
    tokens,
    past("pastKeys"),
    past("pastValues"),
    input(graph, "start", "int32", ["b"]),
    input(graph, "bias", "float32", [1, 1, "t", "total"]),
    { scale: 1 },
  );
  output(graph, "y", y!);
  output(graph, "presentKeys", keys!);
  output(graph, "presentValues", values!);
  output(graph, "computed", add(keys!, 1));
  expect([...compile(graph).program.aliases!]).toEqual([
    ["presentKeys", "pastKeys"],
    ["presentValues", "pastValues"],
  ]);
});

test("a cache that was computed is no memory to write to", () => {
  const graph = createGraph("computed cache");
  const tokens = input(graph, "tokens", "float32", ["b", "t", 2, 8]);
  const past = neg(input(graph, "past", "float32", ["b", 2, "capacity", 8]));
  const start = input(graph, "start", "int32", ["b"]);
  const bias = input(graph, "bias", "float32", [1, 1, "t", "total"]);
  output(graph, "keys", cachedAttention(tokens, tokens, tokens, past, past, start, bias, { scale: 1 })[1]!);
  expect([...compile(graph).program.aliases!]).toEqual([]);
});

describe("constants", () => {
  const numbers: Readonly<Record<DType, readonly number[]>> = {
    float64: [-3, -0, 0.1, 1e300],
    float32: [-3, -0, Math.fround(0.1), 2 ** -149],
    float16: [-65_504, -0, 0.0999755859375, 2 ** -24],
    bfloat16: [-3, -0, 0.10009765625, 2 ** 127],
    int64: [-3, 0, 1, Number.MAX_SAFE_INTEGER],
    int32: [-(2 ** 31), 0, 1, 2 ** 31 - 1],
    int16: [-(2 ** 15), 0, 1, 2 ** 15 - 1],
    int8: [-128, 0, 1, 127],
    uint8: [0, 1, 2, 255],
    bool: [0, 1, 1, 0],
  };
  const valuesOf = ({ dtype, data }: HostTensor) =>
    Array.from(data, (value: number | bigint) =>
      dtype === "float16"
        ? halfToFloat(Number(value))
        : dtype === "bfloat16"
          ? bfloat16ToFloat(Number(value))
          : Number(value),
    );

  test.each(Object.entries(numbers) as [DType, readonly number[]][])(
    "of type %s arrive as they are",
    async (dtype, values) => {
      const graph = createGraph(dtype);
      output(graph, "all", constant(graph, values, { dtype }));
      output(graph, "matrix", constant(graph, values, { dtype, shape: [2, 2] }));
      values.forEach((value, i) => {
        output(graph, `${i}`, constant(graph, value, { dtype }));
      });
      const found = await run(graph, {});
      expect(valuesOf(found.all!)).toEqual(values);
      expect([...found.matrix!.shape, ...valuesOf(found.matrix!)]).toEqual([2, 2, ...values]);
      values.forEach((value, i) => {
        expect([...found[i]!.shape, ...valuesOf(found[i]!)]).toEqual([value]);
      });
    },
  );

  test("numbers between two that a type can hold become the nearer one", async () => {
    const graph = createGraph("rounded");
    output(graph, "half", constant(graph, [0.1, 2049, 1e-7], { dtype: "float16" }));
    output(graph, "brain", constant(graph, [0.1, 257, 1e-30], { dtype: "bfloat16" }));
    const found = await run(graph, {});
    expect(valuesOf(found.half!)).toEqual([0.0999755859375, 2048, 2 ** -23]);
    expect(valuesOf(found.brain!)).toEqual([0.10009765625, 256, bfloat16ToFloat(0x0da2)]);
  });
});

describe("a part of an axis whose ends are known at run time", () => {
  const part = (start: Dim, end: Dim, isInside = false) => {
    const graph = createGraph("part");
    const x = input(graph, "x", "float32", ["t", 2]);
    input(graph, "from", "float32", ["from"]);
    input(graph, "to", "float32", ["to"]);
    const y = slice(x, { axis: 0, start, end });
    if (isInside) output(graph, "total", sum(y, { axes: [0] }));
    else output(graph, "y", y);
    return (t: number, from: number, to: number) =>
      run(graph, { x: noise([t, 2], 1), from: noise([from], 2), to: noise([to], 3) });
  };
  const [t, from, to] = [namedSize("t"), namedSize("from"), namedSize("to")];
  const parts: readonly (readonly [string, Dim, Dim])[] = [
    ["between two sizes", from, to],
    ["up to a size", 0, to],
    ["from a number to a size", 3, to],
    ["from a size on", from, t],
    ["all but some of the last", 1, minus(t, 4)],
  ];
  test.each(parts)("%s: what is one is given, what is none is rejected", async (_, start, end) => {
    const [own, inside] = [part(start, end), part(start, end, true)];
    let rejected = 0;
    for (const [t, from, to] of [
      [6, 2, 5],
      [6, 2, 6],
      [5, 3, 3],
      [5, 4, 3],
      [5, 1, 6],
      [2, 3, 2],
    ] as const) {
      const values = new Map(Object.entries({ t, from, to }));
      const [low, high] = [evaluateDim(start, values), evaluateDim(end, values)];
      const found = own(t, from, to).then(({ y }) => plain(y!));
      // A result that nobody compares with its shape: fewer rows would go unnoticed.
      const total = inside(t, from, to);
      if (low <= high && high <= t) {
        const data = noise([t, 2], 1).data.slice(2 * low, 2 * high);
        expect(await found).toEqual({ shape: [high - low, 2], data });
        expect((await total).total!.shape).toEqual([2]);
      } else {
        rejected++;
        // Together: one that nobody waits for yet must not be rejected meanwhile.
        await Promise.all([found, total].map((each) => expect(each).rejects.toThrow(OpenFlamingoError)));
      }
    }
    expect(rejected).toBeGreaterThan(0);
  });
});

test("a size that no input has is named", () => {
  const graph = createGraph("sizes");
  const x = input(graph, "x", "float32", [3]);
  output(graph, "y", broadcastTo(x, { shape: [namedSize("rows"), 3] }));
  expect(() => compile(graph)).toThrow("no input of sizes has an axis of size rows");
});
