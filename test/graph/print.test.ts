/** A graph as text: readable, and the same for the same model. */
import { expect, test } from "vitest";
import {
  add,
  cachedAttention,
  concat,
  constant,
  createGraph,
  input,
  linear,
  output,
  print,
  rearrange,
  slice,
  softmax,
  split,
  type Tensor,
  weight,
} from "../../src/graph/index.js";
import { params } from "../../src/models/layers.js";
import { perceiver } from "../../src/models/perceiver.js";

test("a line a node, with the names of the model and every shape", () => {
  const graph = createGraph("small");
  const x = input(graph, "x", "float32", ["b", "t", 6]);
  const y = linear(x, weight(graph, "proj.weight", [4, 6]), weight(graph, "proj.bias", [4]));
  const heads = rearrange(y, "b t (h e) -> b h t e", { h: 2 });
  const [a, b] = split(softmax(heads, { axis: -1 }), { parts: 2, axis: -1 });
  output(graph, "sum", add(add(a!, b!), constant(graph, [1, 2, 3, 4, 5, 6], { shape: [6, 1, 1, 1, 1] })));
  output(graph, "joined", concat([x, x], { axis: 1 }));
  expect(print(graph)).toBe(`\
graph small
  x: float32 (b, t, 6) = input
  proj.weight: float32 (4, 6) = weight
  proj.bias: float32 (4) = weight
  %0: float32 (b, t, 4) = linear x proj.weight proj.bias
  %1: float32 (b, t, 2, 2) = reshape %0 shape=(b, t, 2, 2)
  %2: float32 (b, 2, t, 2) = transpose %1 order=(0, 2, 1, 3)
  %3: float32 (b, 2, t, 2) = softmax %2 axis=-1
  %4: float32 (b, 2, t, 1), %5: float32 (b, 2, t, 1) = split %3 parts=2 axis=-1
  %6: float32 (b, 2, t, 1) = add %4 %5
  %7: float32 (6, 1, 1, 1, 1) = constant 1 2 3 … (6 values)
  %8: float32 (6, b, 2, t, 1) = add %6 %7
  %9: float32 (b, 2·t, 6) = concat x x axis=1
outputs
  sum <- %8
  joined <- %9
`);
});

test("every result has its own type, and constants are shown as they are held", () => {
  const graph = createGraph("cache");
  const tokens = input(graph, "tokens", "float32", ["b", "t", 2, 8]);
  const past = input(graph, "past", "float32", ["b", 2, "capacity", 8]);
  const start = constant(graph, [0], { dtype: "int32" });
  const bias = constant(graph, -0, { shape: [1, 1, 1, 1] });
  const row = (x: Tensor) => slice(x, { axis: 0, start: 0, end: 1 });
  const token = slice(row(tokens), { axis: 1, start: 0, end: 1 });
  cachedAttention(token, token, token, row(past), row(past), start, bias, { scale: 1 });
  expect(print(graph)).toContain("%1: float32 (1, 1, 1, 1) = constant -0\n");
  expect(print(graph)).toContain("%5: float32 (1, 1, 2, 8), %6: float32 (1, 2, capacity, 8), %7: ");
  constant(graph, [0.1, 1 / 3], { dtype: "float16" });
  expect(print(graph)).toContain("float16 (2) = constant 0.0999755859375 0.333251953125\n");
});

test("the resampler is printed alike each time, and reads like its file", () => {
  const config = { depth: 1, heads: 2, headDim: 8, latents: 5, mlpRatio: 2 };
  const write = () => {
    const graph = createGraph("perceiver");
    output(
      graph,
      "y",
      perceiver(params(graph), input(graph, "x", "float32", ["b", "T", 1, "v", 16]), config),
    );
    return print(graph);
  };
  const printed = write();
  expect(write()).toBe(printed);
  expect(printed).toBe(`\
graph perceiver
  x: float32 (b, T, 1, v, 16) = input
  %0: float32 (b, T, v, 16) = reshape x shape=(b, T, v, 16)
  latents: float32 (5, 16) = weight
  %1: float32 (b, T, 5, 16) = broadcastTo latents shape=(b, T, 5, 16)
  layers.0.0.norm_media.weight: float32 (16) = weight
  layers.0.0.norm_media.bias: float32 (16) = weight
  %2: float32 (b, T, v, 16) = layerNorm %0 layers.0.0.norm_media.weight layers.0.0.norm_media.bias epsilon=0.00001
  layers.0.0.norm_latents.weight: float32 (16) = weight
  layers.0.0.norm_latents.bias: float32 (16) = weight
  %3: float32 (b, T, 5, 16) = layerNorm %1 layers.0.0.norm_latents.weight layers.0.0.norm_latents.bias epsilon=0.00001
  layers.0.0.to_q.weight: float32 (16, 16) = weight
  %4: float32 (b, T, 5, 16) = linear %3 layers.0.0.to_q.weight -
  %5: float32 (b, T, v + 5, 16) = concat %2 %3 axis=-2
  layers.0.0.to_kv.weight: float32 (32, 16) = weight
  %6: float32 (b, T, v + 5, 32) = linear %5 layers.0.0.to_kv.weight -
  %7: float32 (b, T, v + 5, 16), %8: float32 (b, T, v + 5, 16) = split %6 parts=2 axis=-1
  %9: float32 (b, T, 5, 2, 8) = reshape %4 shape=(b, T, 5, 2, 8)
  %10: float32 (b, T, 2, 5, 8) = transpose %9 order=(0, 1, 3, 2, 4)
  %11: float32 (b, T, v + 5, 2, 8) = reshape %7 shape=(b, T, v + 5, 2, 8)
  %12: float32 (b, T, 2, v + 5, 8) = transpose %11 order=(0, 1, 3, 2, 4)
  %13: float32 (b, T, v + 5, 2, 8) = reshape %8 shape=(b, T, v + 5, 2, 8)
  %14: float32 (b, T, 2, v + 5, 8) = transpose %13 order=(0, 1, 3, 2, 4)
  %15: float32 (b, T, 2, 5, 8) = attention %10 %12 %14 - scale=0.35355339059327373
  %16: float32 (b, T, 5, 2, 8) = transpose %15 order=(0, 1, 3, 2, 4)
  %17: float32 (b, T, 5, 16) = reshape %16 shape=(b, T, 5, 16)
  layers.0.0.to_out.weight: float32 (16, 16) = weight
  %18: float32 (b, T, 5, 16) = linear %17 layers.0.0.to_out.weight -
  %19: float32 (b, T, 5, 16) = add %18 %1
  layers.0.1.0.weight: float32 (16) = weight
  layers.0.1.0.bias: float32 (16) = weight
  %20: float32 (b, T, 5, 16) = layerNorm %19 layers.0.1.0.weight layers.0.1.0.bias epsilon=0.00001
  layers.0.1.1.weight: float32 (32, 16) = weight
  %21: float32 (b, T, 5, 32) = linear %20 layers.0.1.1.weight -
  %22: float32 (b, T, 5, 32) = gelu %21
  layers.0.1.3.weight: float32 (16, 32) = weight
  %23: float32 (b, T, 5, 16) = linear %22 layers.0.1.3.weight -
  %24: float32 (b, T, 5, 16) = add %23 %19
  norm.weight: float32 (16) = weight
  norm.bias: float32 (16) = weight
  %25: float32 (b, T, 5, 16) = layerNorm %24 norm.weight norm.bias epsilon=0.00001
outputs
  y <- %25
`);
});
