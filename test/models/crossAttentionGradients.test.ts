/**
 * Gradients of cross-attention for tokens with no image of their own. The reference implementation masks all that such a
 * token could look at, and a masked score passes no gradient on: queries and keys get none, values an even one.
 */
import { describe, expect, test } from "vitest";
import { grad, mul, sum, type Tensor } from "../../src/graph/index.js";
import {
  ALL_IMAGES,
  crossAttentionMask,
  maskedCrossAttention,
  NO_IMAGE,
} from "../../src/models/crossAttention.js";
import { params } from "../../src/models/layers.js";
import { array, at, difference, host, noise, type Plain } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";

const backend = useBackend();
const [images, latents, heads, headDim, d] = [2, 3, 2, 4, 6];
const config = { heads, headDim };
const seen = images * latents;

const keys = noise([1, heads, seen, headDim], 1);
const values = noise([1, heads, seen, headDim], 2);
const cotangent = noise([1, 4, d], 4);
const weights = {
  "norm.weight": noise([d], 5, [0.5, 1.5]),
  "norm.bias": noise([d], 6),
  "to_q.weight": noise([heads * headDim, d], 7),
  "to_out.weight": noise([d, heads * headDim], 8),
};

/** Gradients of Σ y · cotangent, for tokens with these image indices. */
async function gradientsOf(imageIndex: readonly number[], onlyImmediate: boolean) {
  const x = noise([1, 4, d], 3);
  const given = { x, keys, values, cotangent };
  const feeds = Object.fromEntries(
    Object.entries(given).map(([name, each]) => [name, host(each, "float32")]),
  );
  return backend.evaluate(
    { ...feeds, imageIndex: host({ shape: [1, 4], data: imageIndex }, "int32") },
    (t, graph) => {
      const p = params(graph);
      const mask = crossAttentionMask(t.imageIndex!, images, latents, { onlyImmediate });
      const media = { keys: t.keys!, values: t.values! };
      const y = maskedCrossAttention(p, t.x!, media, mask, config);
      const loss = sum(mul(y, t.cotangent!), { axes: [0, 1, 2] });
      const wanted = [t.x!, t.keys!, t.values!, p.at("to_q").tensor("weight", [heads * headDim, d])];
      const [dx, dkeys, dvalues, dq] = grad(loss, wanted) as [Tensor, Tensor, Tensor, Tensor];
      return { y, dx, dkeys, dvalues, dq };
    },
    weights,
  );
}

const isZero = ({ data }: Plain) => data.every((value) => value === 0);

/** The gradient of the values of one head and one latent, from tokens that attend to all of them alike. */
const evenly = array(values.shape, (_, head, __, e) => {
  let sum = 0;
  for (let token = 0; token < 4; token++) {
    for (let out = 0; out < d; out++) {
      sum += at(cotangent, 0, token, out) * at(weights["to_out.weight"], out, head! * headDim + e!);
    }
  }
  return sum / seen;
});

describe.each([
  ["after more <image>s than images, where only its own image counts", ALL_IMAGES, true],
  ["before the first <image>, where earlier images count as well", NO_IMAGE, false],
])("a token %s", (_, index, onlyImmediate) => {
  test("attends to all latents alike, and passes a gradient to values alone", async () => {
    const { y, dx, dkeys, dvalues, dq } = await gradientsOf(Array(4).fill(index), onlyImmediate);
    expect([dx!, dkeys!, dq!].map(isZero)).toEqual([true, true, true]);
    expect(difference(dvalues!, evenly)).toBeLessThan(1e-6);
    const tokens = [0, 1, 2, 3].map((token) => y!.data.slice(token * d, (token + 1) * d));
    for (const token of tokens) expect(token).toEqual(tokens[0]);
  });

  test("takes nothing from those beside it that see an image", async () => {
    const mixed = await gradientsOf([0, index, 1, index], onlyImmediate);
    const rowOf = (token: number) => mixed.dx!.data.slice(token * d, (token + 1) * d);
    for (const token of [1, 3]) expect(rowOf(token).every((value) => value === 0)).toBe(true);
    for (const token of [0, 2]) expect(rowOf(token).every((value) => value !== 0)).toBe(true);
    expect([mixed.dkeys!, mixed.dq!].map(isZero)).toEqual([false, false]);
  });
});

test("a token that sees no image passes no gradient to anything", async () => {
  const { y, dx, dkeys, dvalues, dq } = await gradientsOf(Array(4).fill(NO_IMAGE), true);
  expect([y!, dx!, dkeys!, dvalues!, dq!].map(isZero)).toEqual([true, true, true, true, true]);
});

test("after more <image>s than images, a token that sees earlier images as well sees all of them", async () => {
  const all = await gradientsOf(Array(4).fill(ALL_IMAGES), false);
  const last = await gradientsOf(Array(4).fill(images - 1), false);
  expect(all).toEqual(last);
  expect(isZero(all.dq!)).toBe(false);
});
