/** Small programs that the tests of every backend run, and what they must give. */
import { elementCount } from "../../src/base/dtypes.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import type { Program } from "../../src/runtime/runtime.js";
import { node, program } from "./onnxBytes.js";

/** A float32 tensor of the given numbers, or of `fill(0), fill(1), …`. */
export function floats(
  shape: readonly number[],
  fill: ArrayLike<number> | ((i: number) => number),
): HostTensor<"float32"> {
  const given =
    typeof fill === "function" ? Float32Array.from({ length: elementCount(shape) }, (_, i) => fill(i)) : fill;
  return { dtype: "float32", shape, data: Float32Array.from(given) };
}

/** The elements of a result. */
export const numbers = (tensor: HostTensor | undefined): number[] => Array.from(tensor!.data, Number);

export const ints = (...values: number[]): HostTensor<"int32"> => ({
  dtype: "int32",
  shape: [values.length],
  data: Int32Array.from(values),
});

/** Numbers between -1 and 1 that look random and are always the same. */
export const noise = (seed: number) => (i: number) => Math.sin((i + 1) * 12.9898 + seed * 78.233) % 1;

/** sum = a + b */
export const addition: Program = program(
  "addition",
  [node("Add", ["a", "b"], ["sum"])],
  { a: ["float32", "n", 3], b: ["float32", "n", 3] },
  { sum: ["float32", "n", 3] },
);

/** A sum that promises a square: with [2, 3] the backend itself notices, in the middle of a run. */
const matrix = ["float32", "n", "m"] as const;
export const wrongShape: Program = {
  ...program("wrong shape", [node("Add", ["a", "b"], ["sum"])], { a: matrix, b: matrix }, { sum: matrix }),
  outputs: [{ name: "sum", dtype: "float32", shape: ["n", "n"] }],
};

/** y = x · w · w · …: `length` products one after the other, with a weight outside of the model. */
export function chain(length: number, width: number, weight = noise(1)): Program {
  const nodes = Array.from({ length }, (_, i) =>
    node("MatMul", [i === 0 ? "x" : `x${i}`, "w"], [i === length - 1 ? "y" : `x${i + 1}`]),
  );
  const w = floats([width, width], weight);
  return program(
    "chain",
    nodes,
    { x: ["float32", "t", width] },
    { y: ["float32", "t", width] },
    { weights: { w } },
  );
}

/** Sizes of one layer of attention over a cache. */
export interface AttentionSizes {
  readonly heads: number;
  readonly headWidth: number;
  readonly capacity: number;
}

/** Attention of t new tokens over a cache that holds them and what came before; present may lie in past. */
export function cachedAttention({ heads, headWidth, capacity }: AttentionSizes): Program {
  const rows = ["float32", 1, "t", heads * headWidth] as const;
  const cache = ["float32", 1, heads, capacity, headWidth] as const;
  const inputs = ["q", "k", "v", "pastKey", "pastValue", "last", "total", "", "", "", "bias"];
  return program(
    "cached attention",
    [
      node(
        "GroupQueryAttention",
        inputs,
        ["o", "presentKey", "presentValue"],
        { num_heads: heads, kv_num_heads: heads },
        "com.microsoft",
      ),
    ],
    {
      ...{ q: rows, k: rows, v: rows, pastKey: cache, pastValue: cache },
      ...{ last: ["int32", 1], total: ["int32", 1], bias: ["float32", 1, heads, "t", "slots"] },
    },
    { o: rows, presentKey: cache, presentValue: cache },
    { aliases: { presentKey: "pastKey", presentValue: "pastValue" } },
  );
}

/** What goes into one call of `cachedAttention` besides the caches: tokens `past` … `past + t - 1` of a sequence. */
export function attentionFeeds({ heads, headWidth }: AttentionSizes, past: number, t: number) {
  const width = heads * headWidth;
  const rows = (seed: number) => floats([1, t, width], (i) => noise(seed)(past * width + i));
  const total = past + t;
  // As ALiBi's: a slope for each head, times the distance.
  const bias = floats([1, heads, t, total], (i) => {
    const [head, row, slot] = [Math.floor(i / (t * total)), Math.floor(i / total) % t, i % total];
    return -(2 ** -(head + 1)) * (past + row - slot);
  });
  return { q: rows(1), k: rows(2), v: rows(3), last: ints(total - 1), total: ints(total), bias };
}

/** The same attention by the decomposition: softmax(q·kᵀ/√e + bias)·v, causal, of token `at` of the sequence. */
export function attentionReference(sizes: AttentionSizes, at: number): number[] {
  const { heads, headWidth } = sizes;
  const { q, k, v, bias } = attentionFeeds(sizes, 0, at + 1);
  const value = ({ data }: HostTensor<"float32">, token: number, head: number, i: number) =>
    data[(token * heads + head) * headWidth + i]!;
  const out: number[] = [];
  for (let head = 0; head < heads; head++) {
    const scores = Array.from({ length: at + 1 }, (_, token) => {
      let product = 0;
      for (let i = 0; i < headWidth; i++) product += value(q, at, head, i) * value(k, token, head, i);
      return product / Math.sqrt(headWidth) + bias.data[(head * (at + 1) + at) * (at + 1) + token]!;
    });
    const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
    const sum = weights.reduce((a, b) => a + b, 0);
    for (let i = 0; i < headWidth; i++) {
      out.push(weights.reduce((total, weight, token) => total + weight * value(v, token, head, i), 0) / sum);
    }
  }
  return out;
}

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
