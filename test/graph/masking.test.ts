/**
 * The emptiest cases of masking by −1e30, on both ways of attention: nobody sees anything, everybody sees all, one row
 * sees nothing while others see, one token only. A row that sees nothing gets the mean of the values that it could
 * have seen, and a gradient without surprises.
 */
import { describe, expect, test } from "vitest";
import {
  attention,
  cachedAttention,
  createGraph,
  grad,
  input,
  MASK_VALUE,
  maskValue,
  maskWhere,
  output,
  softmax,
  sum,
  type Tensor,
} from "../../src/graph/index.js";
import { lower } from "../../src/onnx/lower.js";
import { array, difference, host, noise, type Plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";
import { attentionOf, cachedAttentionOf } from "./operators/formulas.js";

const backend = useBackend();
const t = 3;

/** For every query, the keys that it may see. */
const sights: Readonly<Record<string, (i: number, j: number) => boolean>> = {
  "all see all": () => true,
  "nobody sees anything": () => false,
  "one row sees nothing": (i) => i !== 1,
  "the first row sees nothing": (i) => i > 0,
  "everybody sees the first only": (_, j) => j === 0,
};

const biasOf = (sees: (i: number, j: number) => boolean, queries: number): Plain =>
  array([1, 1, queries, t], (_, __, i, j) => (sees(i!, j!) ? 0 : MASK_VALUE));

describe.each(Object.entries(sights))("%s", (_, sees) => {
  test.each([t, 1])("attention of %i queries", async (queries) => {
    const q = noise([1, 2, queries, 8], 1);
    const [k, v] = [noise([1, 2, t, 8], 2), noise([1, 2, t, 8], 3)];
    const bias = biasOf(sees, queries);
    const given = {
      q: host(q, "float32"),
      k: host(k, "float32"),
      v: host(v, "float32"),
      bias: host(bias, "float32"),
    };
    const { y, dq, dk } = await backend.evaluate(given, ({ q, k, v, bias }) => {
      const y = attention(q!, k!, v!, bias, { scale: 0.5 });
      const [dq, dk] = grad(sum(y, { axes: [0, 1, 2, 3] }), [q!, k!]) as [Tensor, Tensor];
      return { y, dq, dk };
    });
    expect(difference(y!, attentionOf(q, k, v, bias, 0.5))).toBeLessThan(1e-6);
    for (const value of [...dq!.data, ...dk!.data]) expect(Math.abs(value)).toBeLessThan(10);
  });

  // Heads 8 wide: the backend's kernel; 6 wide: the decomposition. All tokens at once, and the last one alone.
  const ways = [8, 6].flatMap((e) => [t, 1].map((tokens) => [e, tokens] as const));
  test.each(ways)("cached attention, heads %i wide, of %i queries", async (e, tokens) => {
    const call = {
      queries: noise([1, tokens, 2, e], 1),
      keys: noise([1, tokens, 2, e], 2),
      values: noise([1, tokens, 2, e], 3),
      pastKeys: noise([1, 2, t, e], 4),
      pastValues: noise([1, 2, t, e], 5),
      start: { shape: [1], data: [t - tokens] },
      bias: biasOf(sees, tokens),
    };
    const given = Object.fromEntries(
      Object.entries(call).map(([name, value]) => [
        name,
        host(value, name === "start" ? "int32" : "float32"),
      ]),
    );
    const { y } = await backend.evaluate(given, (x) => ({
      y: cachedAttention(x.queries!, x.keys!, x.values!, x.pastKeys!, x.pastValues!, x.start!, x.bias!, {
        scale: 0.5,
      })[0]!,
    }));
    expect(difference(y!, cachedAttentionOf(call, 0.5)[0])).toBeLessThan(1e-6);
  });
});

test("what a row that sees nothing gets is the mean of the values", async () => {
  const v = { shape: [1, 1, t, 1], data: [1, 2, 6] };
  const nothing = biasOf(() => false, t);
  const given = { v: host(v, "float32"), bias: host(nothing, "float32") };
  const { y } = await backend.evaluate(given, ({ v, bias }) => ({
    y: attention(v!, v!, v!, bias, { scale: 1 }),
  }));
  expect(difference(y!, { shape: [1, 1, t, 1], data: [3, 3, 3] })).toBeLessThan(1e-6);
});

test("masked scores count for nothing, and a row of them alone is even", async () => {
  const x = {
    shape: [2, 4],
    data: [Math.log(2), MASK_VALUE, Math.log(6), MASK_VALUE, MASK_VALUE, MASK_VALUE, MASK_VALUE, MASK_VALUE],
  };
  const { y } = await backend.evaluate({ x: host(x, "float32") }, ({ x }) => ({
    y: softmax(x!, { axis: -1 }),
  }));
  const expected = { shape: [2, 4], data: [0.25, 0, 0.75, 0, 0.25, 0.25, 0.25, 0.25] };
  expect(difference(y!, expected)).toBeLessThan(1e-6);
});

test("a mask is held by every type of floats, and leaves room for the score that it is added to", () => {
  const graph = createGraph("masks");
  const isHidden = input(graph, "isHidden", "bool", ["t", "s"]);
  for (const dtype of ["float64", "float32", "float16", "bfloat16"] as const) {
    const bias = maskWhere(isHidden, { dtype });
    expect(bias.dtype).toBe(dtype);
    expect(2 * maskValue(dtype)).toBeGreaterThan(dtype === "float16" ? -65_520 : -3.3e38);
  }
  expect(maskWhere(isHidden)).toBe(maskWhere(isHidden, { dtype: "float32" }));
});

test.each(["float64", "float32", "float16", "bfloat16"] as const)(
  "cached attention is lowered in %s, where no kernel takes its heads",
  (dtype) => {
    const graph = createGraph("cache");
    const tokens = input(graph, "tokens", dtype, ["b", "t", 2, 6]);
    const past = input(graph, "past", dtype, ["b", 2, "capacity", 6]);
    const start = input(graph, "start", "int32", ["b"]);
    const bias = input(graph, "bias", dtype, [1, 1, "t", "total"]);
    const [y, keys] = cachedAttention(tokens, tokens, tokens, past, past, start, bias, { scale: 0.5 });
    output(graph, "y", y);
    output(graph, "keys", keys);
    const types = lower(graph).outputs;
    expect([types.get("y")!.dtype, types.get("keys")!.dtype]).toEqual([dtype, dtype]);
  },
);
