/**
 * Values that are known in closed form or published, as a check on the formulas that the operators are compared with.
 */
import { expect, test } from "vitest";
import {
  attention,
  cos,
  erf,
  exp,
  gelu,
  layerNorm,
  log,
  logSoftmax,
  quickGelu,
  sigmoid,
  sin,
  softmax,
  sqrt,
  type Tensor,
  tanh,
} from "../../src/graph/index.js";
import { difference, host } from "./arrays.js";
import { useBackend } from "./evaluate.js";
import { errorFunction } from "./operators/formulas.js";

const backend = useBackend();
const { log: ln } = Math;

/** erf: Abramowitz and Stegun, table 7.1; gelu: x Φ(x), with Φ from table 26.1. */
const erfOf = [0.520499877813, 0.84270079295, 0.995322265019];
const shares = [1 / 8, 2 / 8, 5 / 8];

test.each<[string, (x: Tensor) => Tensor, readonly number[], readonly number[]]>([
  ["erf", erf, [0.5, 1, 2], erfOf],
  ["gelu", gelu, [-1, 0, 1, 2], [-0.158655253931, 0, 0.841344746069, 1.9544997361]],
  ["quickGelu, where σ is 3/4", quickGelu, [ln(3) / 1.702], [(0.75 * ln(3)) / 1.702]],
  ["sigmoid", sigmoid, [0, ln(3), -ln(3)], [0.5, 0.75, 0.25]],
  ["tanh", tanh, [0, ln(2), -ln(2)], [0, 0.6, -0.6]],
  ["cos", cos, [0, Math.PI / 3, Math.PI], [1, 0.5, -1]],
  ["sin", sin, [0, Math.PI / 6, -Math.PI / 2], [0, 0.5, -1]],
  ["exp", exp, [0, ln(5)], [1, 5]],
  ["log", log, [1, Math.E], [0, 1]],
  ["sqrt", sqrt, [0.25, 2], [0.5, Math.SQRT2]],
  ["softmax", (x) => softmax(x, { axis: 0 }), [0, ln(2), ln(5)], shares],
  ["logSoftmax", (x) => logSoftmax(x, { axis: 0 }), [0, ln(2), ln(5)], shares.map(ln)],
  ["layerNorm", (x) => layerNorm(x, x, undefined, { epsilon: 0 }), [1, 3], [-1, 3]],
])("%s", async (_, write, x, expected) => {
  const shape = [x.length];
  const { y } = await backend.evaluate({ x: host({ shape, data: x }, "float32") }, ({ x }) => ({
    y: write(x!),
  }));
  expect(difference(y!, { shape: [expected.length], data: expected })).toBeLessThan(5e-7);
});

test("attention whose queries are 0 is the mean of the values", async () => {
  const rows = (...data: number[]) => host({ shape: [data.length, 1], data }, "float32");
  const given = { queries: rows(0), keys: rows(5, -3, 2), values: rows(1, 2, 6) };
  const { y } = await backend.evaluate(given, ({ queries, keys, values }) => ({
    y: attention(queries!, keys!, values!, undefined, { scale: 1 }),
  }));
  expect(y).toEqual({ shape: [1, 1], data: [3] });
});

test("the series of the error function agrees with the published values", () => {
  [0.5, 1, 2].forEach((x, i) => {
    expect(errorFunction(x)).toBeCloseTo(erfOf[i]!, 11);
  });
});
