/** Rewrites for training: recomputation, trained rows of a frozen matrix, rounded products; and outputs in inputs' memory. */
import { expect, test } from "vitest";
import { bfloat16ToFloat, floatToBfloat16 } from "../../src/base/halfPrecision.js";
import {
  add,
  barrier,
  createGraph,
  fold,
  type Graph,
  gather,
  gelu,
  grad,
  input,
  linear,
  matmul,
  mul,
  multipliedOnly,
  neg,
  output,
  recompute,
  reshape,
  rewrite,
  roundProducts,
  type Segment,
  softmax,
  sum,
  type Tensor,
  trainRows,
  transpose,
  weight,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import { lower } from "../../src/onnx/lower.js";
import { difference, host, noise, plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";

const backend = useBackend();
const [t, d] = [5, 8];
const blocks = [0, 1, 2];
const checkpoint = Object.fromEntries(
  blocks.flatMap((i) => [
    [`up.${i}`, noise([4 * d, d], 10 + i)] as const,
    [`down.${i}`, noise([d, 4 * d], 20 + i)] as const,
  ]),
);

/** Blocks of x ← x + down(gelu(up(x))), the loss Σ x · c, and the gradients of all matrices. */
function blocksGraph(isRecomputed: boolean): { graph: Graph; inner: readonly Tensor[] } {
  const graph = createGraph("blocks");
  let x = input(graph, "x", "float32", ["t", d]);
  const ends = [x];
  const inner: Tensor[] = [];
  for (const i of blocks) {
    const active = gelu(linear(x, weight(graph, `up.${i}`, [4 * d, d]), undefined));
    inner.push(active);
    x = add(x, linear(active, weight(graph, `down.${i}`, [d, 4 * d]), undefined));
    ends.push(x);
  }
  const loss = sum(mul(x, input(graph, "c", "float32", ["t", d])), { axes: [0, 1] });
  const forward = graph.nodes.length;
  const weights = [...graph.weights.values()];
  const found = grad(loss, [...weights, ...ends.slice(1)]);
  output(graph, "loss", loss);
  [...graph.weights.keys()].forEach((name, i) => {
    output(graph, `gradient of ${name}`, found[i]!);
  });
  const segments = blocks.map(
    (i): Segment => ({ start: ends[i]!, end: ends[i + 1]!, endGradient: found[weights.length + i]! }),
  );
  return { graph: isRecomputed ? recompute(graph, forward, segments) : graph, inner };
}

/** How often each operator is in a graph. */
const count = (graph: Graph, name: string): number => graph.nodes.filter(({ op }) => op.name === name).length;

test("what is inside of a segment is computed again behind its end's gradient, with the same results", async () => {
  const [kept, again] = [blocksGraph(false).graph, blocksGraph(true).graph];
  // The backward pass reads each block's inside anew; equal expressions do not make one node of the two.
  expect([count(kept, "gelu"), count(again, "gelu"), count(again, "barrier")]).toEqual([3, 6, 3]);
  expect(count(kept, "linear") + 3).toBe(count(again, "linear"));
  const feeds = { x: host(noise([t, d], 1), "float32"), c: host(noise([t, d], 2), "float32") };
  const run = async (graph: Graph) => {
    await using session = await backend.load(graph, checkpoint);
    return await session.run(feeds);
  };
  const [a, b] = [await run(kept), await run(again)];
  expect(Object.keys(b)).toEqual(Object.keys(a));
  for (const name of Object.keys(a))
    expect(difference(plain(b[name]!), plain(a[name]!)), name).toBeLessThan(1e-6);
});

test("a barrier stays through lowering, and is rejected for what it cannot order", () => {
  const { graph } = blocksGraph(true);
  const before = lower(blocksGraph(false).graph).nodes.length;
  expect(lower(graph).nodes.length).toBeGreaterThan(before);
  const other = createGraph("types");
  const ids = input(other, "ids", "int32", ["t"]);
  const x = input(other, "x", "float32", ["t"]);
  expect(() => barrier(ids, x)).toThrow(/barrier: x is int32 \(t\), and must be float32/);
});

test("trained rows stand in for those of a frozen matrix, in look-ups and products, and get all of the gradient", async () => {
  const [n, rows] = [6, [1, 4, 5]];
  const matrix = noise([n, d], 3);
  const ids = { shape: [4], data: [4, 0, 1, 4] };
  /** Gradients of Σ (W[ids] + x) Wᵀ · c. */
  const write = (isFrozen: boolean) => {
    const graph = createGraph("rows");
    const w = isFrozen ? weight(graph, "w", [n, d]) : input(graph, "whole", "float32", [n, d]);
    const x = add(gather(w, input(graph, "ids", "int32", [4])), input(graph, "x", "float32", [4, d]));
    const y = linear(x, w, undefined);
    output(graph, "loss", sum(mul(y, input(graph, "c", "float32", [4, n])), { axes: [0, 1] }));
    return graph;
  };
  const given = {
    ids: host(ids, "int32"),
    x: host(noise([4, d], 4), "float32"),
    c: host(noise([4, n], 5), "float32"),
  };
  const whole = write(false);
  output(whole, "gradient", grad(whole.outputs.get("loss")!, [whole.inputs.get("whole")!])[0]);
  const some = trainRows(write(true), "w", rows);
  const trained = some.inputs.get("rows of w")!;
  expect(trained.shape).toEqual([3, d]);
  output(some, "gradient", grad(some.outputs.get("loss")!, [trained])[0]);

  const rowOf = (data: ArrayLike<number>, row: number) => Array.from(data).slice(row * d, (row + 1) * d);
  const own = rows.flatMap((row) => rowOf(matrix.data, row));
  // Of the frozen matrix those rows are never read.
  const frozen = { ...matrix, data: matrix.data.map((x, i) => (rows.includes(Math.floor(i / d)) ? 1e9 : x)) };
  const run = async (graph: Graph, feeds: Parameters<typeof host>[0], name: string, weights = {}) => {
    await using session = await backend.load(graph, weights);
    return await session.run({ ...given, [name]: host(feeds, "float32") });
  };
  const all = await run(whole, matrix, "whole");
  const few = await run(some, { shape: [3, d], data: own }, "rows of w", { w: frozen });
  expect(difference(plain(few.loss!), plain(all.loss!))).toBeLessThan(1e-5);
  const wanted = rows.flatMap((row) => rowOf(all.gradient!.data as Float32Array, row));
  expect(difference(plain(few.gradient!), { shape: [3, d], data: wanted })).toBeLessThan(1e-5);
  for (const wrong of [[2, 1], [n], [-1]]) {
    expect(() => trainRows(write(true), "w", wrong)).toThrow(/are no ascending rows of w \(6, 8\)/);
  }
});

test("what products take is rounded to bfloat16, and nothing else is", async () => {
  const graph = createGraph("product");
  const x = input(graph, "x", "float32", [t, d]);
  output(graph, "y", add(linear(x, weight(graph, "w", [3, d]), weight(graph, "bias", [3])), 0));
  output(graph, "z", softmax(mul(x, 1.1), { axis: -1 }));
  const weights = { w: noise([3, d], 7), bias: noise([3], 8) };
  const feeds = { x: host(noise([t, d], 6), "float32") };
  const run = async (of: Graph, checkpoint: typeof weights) => {
    await using session = await backend.load(of, checkpoint);
    return await session.run(feeds);
  };
  const rounded = { ...weights.w, data: weights.w.data.map((x) => bfloat16ToFloat(floatToBfloat16(x))) };
  const all = await run(roundProducts(graph), weights);
  const half = await run(roundProducts(graph, { rounded: new Set(["w"]) }), { ...weights, w: rounded });
  const exact = await run(graph, weights);
  expect([...multipliedOnly(graph)]).toEqual(["w"]);
  expect(all).toEqual(half);
  expect(all.z).toEqual(exact.z);
  const off = difference(plain(all.y!), plain(exact.y!));
  expect(off).toBeGreaterThan(1e-4);
  expect(off).toBeLessThan(3e-2);
});

test("an output is written into an input's memory where the graph says so, and stays so through rewrites", async () => {
  const graph = createGraph("sum");
  const so = input(graph, "so far", "float32", ["n"]);
  output(graph, "next", add(so, input(graph, "x", "float32", ["n"])), { into: "so far" });
  const compiled = compile(fold(rewrite(graph, () => undefined)));
  await using session = await backend.runtime.load({ ...compiled.program, weights: new Map() });
  const memory = host({ shape: [3], data: [1, 2, 3] }, "float32");
  const x = host({ shape: [3], data: [10, 20, 30] }, "float32");
  for (let i = 0; i < 2; i++) await session.run({ "so far": memory, x }, { outputs: { next: memory } });
  expect([...memory.data]).toEqual([21, 42, 63]);
});

test("such an output must have the input's type, and nothing may read the input behind it", () => {
  const graph = createGraph("sum");
  const so = input(graph, "so far", "float32", ["n"]);
  expect(() => output(graph, "a", reshape(so, { shape: ["n" as never, 1] }), { into: "so far" })).toThrow();
  expect(() => output(graph, "a", so, { into: "other" })).toThrow(
    /a is float32 \(n\), and there is no input other/,
  );
  output(graph, "next", neg(so), { into: "so far" });
  output(
    graph,
    "late",
    matmul(
      reshape(so, { shape: [1, so.shape[0]!] }),
      transpose(reshape(so, { shape: [1, so.shape[0]!] }), { order: [1, 0] }),
    ),
  );
  expect(() => compile(graph)).toThrow(/next cannot be written into so far, which is read elsewhere/);
});
