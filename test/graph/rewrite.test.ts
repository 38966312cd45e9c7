/** Graphs made of graphs: folded weights, what is left out, and equal expressions as one node. */
import { expect, test } from "vitest";
import { digestOf } from "../../src/graph/constant.js";
import {
  add,
  cast,
  constant,
  createGraph,
  fold,
  type Graph,
  input,
  iota,
  isSource,
  linear,
  matmul,
  mul,
  namedSize,
  neg,
  output,
  print,
  rearrange,
  reshape,
  rewrite,
  softmax,
  tanh,
  weight,
  withoutUnused,
} from "../../src/graph/index.js";
import { noise } from "./arrays.js";
import { useBackend } from "./evaluate.js";

const backend = useBackend();
/** Only what the outputs need. */
const same = withoutUnused;
const operatorsOf = (graph: Graph) => graph.nodes.flatMap(({ op }) => (isSource(op) ? [] : [op.name]));

test("a reshaped weight is a weight of that shape", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", 12]);
  const kernel = weight(graph, "conv1.weight", [5, 3, 2, 2]);
  output(graph, "y", linear(x, rearrange(kernel, "d c p q -> d (c p q)"), undefined));
  const folded = same(fold(graph));
  expect(operatorsOf(folded)).toEqual(["linear"]);
  expect([...folded.weights.keys()]).toEqual(["conv1.weight→5x12"]);
  expect(folded.weights.get("conv1.weight→5x12")!.node.attributes).toMatchObject({
    name: "conv1.weight",
    from: [5, 3, 2, 2],
    shape: [5, 12],
  });
});

test("reshaped back, it is the checkpoint's own again", () => {
  const graph = createGraph("g");
  const w = weight(graph, "w", [2, 6]);
  output(graph, "y", neg(reshape(reshape(w, { shape: [3, 4] }), { shape: [2, 6] })));
  expect([...same(fold(graph)).weights.keys()]).toEqual(["w"]);
});

test("reshapes of reshapes are one, and one that changes nothing is none", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", "t", 12]);
  const heads = rearrange(x, "b t (h e) -> b t h e", { h: 3 });
  output(graph, "none", neg(rearrange(heads, "b t h e -> b t (h e)")));
  output(graph, "one", neg(rearrange(heads, "b t h e -> (b t) h e")));
  const folded = same(fold(graph));
  expect(operatorsOf(folded)).toEqual(["neg", "reshape", "neg"]);
});

test("a weight that is used both ways stays in both", async () => {
  const w = noise([2, 6], 1);
  const results = await backend.evaluate(
    {},
    (_, graph) => {
      const own = weight(graph, "w", [2, 6]);
      return { own: neg(own), seen: neg(reshape(own, { shape: [3, 4] })) };
    },
    { w },
  );
  const data = w.data.map((value) => -value);
  expect(results).toEqual({ own: { shape: [2, 6], data }, seen: { shape: [3, 4], data } });
});

test("a transposed weight is transposed by the backend", async () => {
  const w = noise([2, 3], 1);
  const { y } = await backend.evaluate(
    {},
    (_, graph) => ({ y: rearrange(weight(graph, "w", [2, 3]), "a b -> b a") }),
    { w },
  );
  expect(y).toEqual({ shape: [3, 2], data: [0, 3, 1, 4, 2, 5].map((i) => w.data[i]) });
});

test("what no output needs is left out; inputs stay", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", 2]);
  input(graph, "unused", "float32", ["t"]);
  tanh(matmul(x, weight(graph, "dead", [2, 2])));
  output(graph, "y", add(x, weight(graph, "alive", [2])));
  const next = same(graph);
  expect(operatorsOf(next)).toEqual(["add"]);
  expect([...next.weights.keys()]).toEqual(["alive"]);
  expect([...next.inputs.keys()]).toEqual(["x", "unused"]);
});

test("rewriting with no rule gives the same graph", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", 4]);
  output(graph, "y", softmax(linear(x, weight(graph, "w", [3, 4]), undefined), { axis: -1 }));
  expect(print(same(graph))).toBe(print(graph));
});

test("a rule puts other nodes in the place of one, for all that use it", () => {
  const graph = createGraph("g");
  const h = tanh(input(graph, "x", "float32", ["b"]));
  output(graph, "y", add(h, neg(h)));
  const next = rewrite(graph, ({ op }, [x]) => (op === tanh.op ? [mul(x!, 3)] : undefined));
  expect(operatorsOf(next)).toEqual(["mul", "neg", "add"]);
});

test("a size may be used before the input that gives it is declared", async () => {
  const graph = createGraph("g");
  output(graph, "y", cast(iota(graph, namedSize("t")), { to: "float32" }));
  input(graph, "late", "int32", ["t"]);
  await using session = await backend.load(graph);
  const { y } = await session.run({ late: { dtype: "int32", shape: [3], data: new Int32Array(3) } });
  expect([...y!.data]).toEqual([0, 1, 2]);
});

test("the same expression is the same node", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", 4]);
  const w = () => weight(graph, "w", [4, 4]);
  expect(linear(x, w(), undefined)).toBe(linear(x, w(), undefined));
  expect(softmax(mul(x, 2), { axis: 1 })).toBe(softmax(mul(x, 2), { axis: 1 }));
  expect(rearrange(x, "b (h e) -> h b e", { h: 2 })).toBe(rearrange(x, "b (h e) -> h b e", { h: 2 }));
  const before = graph.nodes.length;
  add(mul(x, 2), linear(x, w(), undefined));
  expect(graph.nodes.length).toBe(before + 1);
});

test("equal constants are one node, and different ones are not, to the last bit", () => {
  const graph = createGraph("g");
  const table = Float32Array.from({ length: 70_000 }, (_, i) => i / 3);
  const changed = table.slice();
  changed[65_000] = changed[65_000]! + 0.01;
  expect(constant(graph, table)).toBe(constant(graph, [...table]));
  expect(constant(graph, 0.1)).toBe(constant(graph, Math.fround(0.1)));
  const nodes = [
    constant(graph, table),
    constant(graph, changed),
    constant(graph, table, { shape: [7, 10_000] }),
    constant(graph, 0),
    constant(graph, -0),
    constant(graph, [0]),
    constant(graph, 0, { dtype: "int32" }),
    constant(graph, [0, -0]),
    constant(graph, [-0, 0]),
    constant(graph, 0, { dtype: "float16" }),
    constant(graph, -0, { dtype: "float16" }),
    constant(graph, -0, { dtype: "bfloat16" }),
  ];
  expect(new Set(nodes).size).toBe(nodes.length);
  expect(JSON.stringify([...graph.known.keys()]).length).toBeLessThan(2000);
});

test("the digest is FNV-1a of 64 bits", () => {
  const ofText = (text: string) => digestOf(new TextEncoder().encode(text));
  // The authors' test vectors.
  expect(["", "a", "b", "foobar"].map(ofText)).toEqual([
    "cbf29ce484222325",
    "af63dc4c8601ec8c",
    "af63df4c8601f1a5",
    "85944171f73967e8",
  ]);
});

test("another input, attribute, type or operator is another node", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", "b"]);
  const y = input(graph, "y", "float32", ["b", "b"]);
  const nodes = [
    softmax(x, { axis: 0 }),
    softmax(x, { axis: 1 }),
    softmax(y, { axis: 0 }),
    tanh(x),
    add(x, y),
    add(y, x),
    cast(x, { to: "int32" }),
    cast(x, { to: "bool" }),
    mul(x, 2),
    mul(x, 3),
    mul(cast(x, { to: "int32" }), 2),
  ];
  expect(new Set(nodes).size).toBe(nodes.length);
});
