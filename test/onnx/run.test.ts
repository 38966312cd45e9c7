/** Graphs that are run by those who wrote them: what is computed, and what is said of feeds and weights that do not fit. */
import { describe, expect, test } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import {
  add,
  createGraph,
  type Graph,
  gelu,
  grad,
  hostTensor,
  input,
  linear,
  mean,
  mul,
  openGraph,
  output,
  rearrange,
  run,
  weight,
} from "../../src/graph.js";

/** y = x wᵀ + bias */
function layer(): Graph {
  const graph = createGraph("layer");
  const x = input(graph, "x", "float32", ["rows", 2]);
  output(graph, "y", linear(x, weight(graph, "w", [3, 2]), weight(graph, "bias", [3])));
  return graph;
}
const x = hostTensor("float32", [1, 2], [10, 100]);
const weights = { w: [1, 2, 3, 4, 5, 6], bias: Float32Array.of(0.5, 0, -0.5) };
const y = [210.5, 430, 649.5];

test.each([undefined, "ort.ffi", "ort.binding"])(
  "a graph with its weights, on the backend %s",
  async (backend) => {
    const options = { weights, threads: 1, ...(backend && { backend }) };
    const { y: found } = await run(layer(), { x }, options);
    expect(found).toMatchObject({ dtype: "float32", shape: [1, 3] });
    expect([...found!.data]).toEqual(y);
  },
);

test("a function makes the weights, and is told which", async () => {
  const asked: unknown[] = [];
  const { y: found } = await run(
    layer(),
    { x },
    {
      weights: (each) => {
        asked.push(each);
        return weights[each.name as "w" | "bias"];
      },
    },
  );
  expect([...found!.data]).toEqual(y);
  expect(asked).toEqual([
    { name: "w", dtype: "float32", shape: [3, 2], elements: 6 },
    { name: "bias", dtype: "float32", shape: [3], elements: 3 },
  ]);
});

test("a weight that is used in two shapes is given once, as the checkpoint has it", async () => {
  const graph = createGraph("two shapes");
  const w = weight(graph, "w", [2, 2]);
  output(graph, "flat", add(rearrange(w, "a b -> (a b)"), 1));
  output(graph, "own", mul(w, 2));
  const { flat, own } = await run(graph, {}, { weights: { w: [1, 2, 3, 4] } });
  expect([...flat!.data]).toEqual([2, 3, 4, 5]);
  expect([...own!.data]).toEqual([2, 4, 6, 8]);
});

test("an open graph runs again and again, with other sizes too, until it is closed", async () => {
  const open = await openGraph(layer(), { weights });
  for (const rows of [1, 3, 2]) {
    const many = hostTensor("float32", [rows, 2], Array(rows).fill([10, 100]).flat());
    const { y: found } = await open.run({ x: many });
    expect([...found!.data]).toEqual(Array(rows).fill(y).flat());
  }
  await open.close();
  await open.close();
  await expect(open.run({ x })).rejects.toThrow(OpenFlamingoError);
});

test("gradients come as they were asked for, one for each parameter", async () => {
  const graph = createGraph("gradients");
  const [a, b] = [input(graph, "a", "float32", [2]), input(graph, "b", "float32", [2])];
  const [da, db] = grad(mean(mul(a, b), { axes: [0] }), [a, b]);
  output(graph, "da", da);
  output(graph, "db", db);
  const found = await run(graph, {
    a: hostTensor("float32", [2], [1, 2]),
    b: hostTensor("float32", [2], [3, 4]),
  });
  expect([[...found.da!.data], [...found.db!.data]]).toEqual([
    [1.5, 2],
    [0.5, 1],
  ]);
});

describe("what does not fit is said by its name", () => {
  const rejectionOf = async (start: () => Promise<unknown>): Promise<OpenFlamingoError> => {
    const error = await start().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(OpenFlamingoError);
    return error as OpenFlamingoError;
  };

  test.each<[string, Record<string, unknown>]>([
    ['layer: input "x" (float32 [rows, 2]) is missing', {}],
    ['layer: there is no input "z" (inputs: x)', { x, z: x }],
    ['layer: input "x" (float32 [rows, 2]) is float32 [2]', { x: hostTensor("float32", [2], [1, 2]) }],
    ['layer: input "x" (float32 [rows, 2]) is int32 [1, 2]', { x: hostTensor("int32", [1, 2], [1, 2]) }],
    [
      'layer: input "x" (float32 [rows, 2]) holds 3 elements, its shape [1, 2] has 2',
      { x: { ...x, data: new Float32Array(3) } },
    ],
    ['layer: feed "x" is not a tensor', { x: new Float32Array(2) }],
    ['layer: feed "x" is not a tensor', { x: [[10, 100]] }],
    ['layer: feed "x" is not a tensor', { x: undefined }],
    ['layer: feed "x" is not a tensor', { x: { dtype: "double", shape: [1, 2], data: new Float64Array(2) } }],
    ['layer: feed "x" is not a tensor', { x: { ...x, data: [10, 100] } }],
  ])("%s", async (message, feeds) => {
    const error = await rejectionOf(() => run(layer(), feeds as never, { weights }));
    expect(error.message).toBe(message);
    expect(error.code).toBe("usage");
    expect(error.hint).toContain("hostTensor(");
  });

  test.each<[string, Record<string, readonly number[]>]>([
    ["layer: weights do not fit, missing: w (3, 2), bias (3)", {}],
    ["layer: weights do not fit, missing: bias (3)", { w: weights.w }],
    ["layer: weights do not fit, missing: w (3, 2); unknown: weight", { bias: [1, 2, 3], weight: weights.w }],
    ["layer: weight w (3, 2) has 6 numbers, and 5 were given", { w: [1, 2, 3, 4, 5], bias: [1, 2, 3] }],
  ])("%s", async (message, given) => {
    const error = await rejectionOf(() => run(layer(), { x }, { weights: given }));
    expect([error.code, error.message]).toEqual(["usage", message]);
  });

  test("another backend than there are", async () => {
    const error = await rejectionOf(() => run(layer(), { x }, { weights, backend: "cuda" }));
    expect(error.code).toBe("usage");
  });

  test("a tensor of another count than its shape", () => {
    expect(() => hostTensor("float32", [2, 2], [1, 2, 3])).toThrow(
      "a tensor (2, 2) has 4 numbers, and 3 were given",
    );
  });
});

test("tensors of every type hold their numbers in that type's elements", () => {
  expect(hostTensor("int64", [2], [1, -2]).data).toEqual(BigInt64Array.of(1n, -2n));
  expect(hostTensor("float16", [2], [1, -2]).data).toEqual(Uint16Array.of(0x3c00, 0xc000));
  expect(hostTensor("bfloat16", [2], [1, -2]).data).toEqual(Uint16Array.of(0x3f80, 0xc000));
  expect(hostTensor("bool", [2], [1, 0]).data).toEqual(Uint8Array.of(1, 0));
  expect(hostTensor("float32", [], [0.1]).data).toEqual(Float32Array.of(0.1));
});

test("a signal stops a run before it begins", async () => {
  const open = await openGraph(layer(), { weights });
  const reason = new Error("enough");
  await expect(open.run({ x }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  await open.close();
  await expect(run(layer(), { x }, { weights, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("a graph that cannot be compiled is rejected before a backend is opened", async () => {
  const graph = createGraph("sizes");
  output(graph, "y", gelu(input(graph, "x", "float32", [2])));
  await expect(run(graph, { x }, { weights: { w: [1] } })).rejects.toThrow(
    "sizes: weights do not fit, unknown: w",
  );
});
