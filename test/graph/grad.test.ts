/** How gradients come together over a graph; the operators' own rules are tested in operators.test.ts. */
import { expect, test } from "vitest";
import {
  add,
  attention,
  createGraph,
  exp,
  gather,
  gelu,
  grad,
  input,
  isSource,
  less,
  linear,
  max,
  mul,
  output,
  rewrite,
  softmax,
  split,
  sub,
  sum,
  type Tensor,
  tanh,
  weight,
  where,
} from "../../src/graph/index.js";
import { array, difference, host, noise, type Plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";
import { attentionOf } from "./operators/formulas.js";

const backend = useBackend();

/** The sum of all numbers. */
const total = (x: Tensor) => sum(x, { axes: x.shape.map((_, axis) => axis) });

/** The gradients of a loss for float32 inputs, by their names. */
async function gradientsOf(
  given: Readonly<Record<string, Plain>>,
  loss: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
): Promise<Readonly<Record<string, Plain>>> {
  const feeds = Object.entries(given).map(([name, value]) => [name, host(value, "float32")]);
  return backend.evaluate(Object.fromEntries(feeds), (inputs) => {
    const all = grad(loss(inputs), Object.values(inputs));
    return Object.fromEntries(Object.keys(inputs).map((name, i) => [`d${name}`, all[i]!]));
  });
}

const vector = (...data: number[]): Plain => ({ shape: [data.length], data });

test("a tensor that is used in several places gets the sum", async () => {
  // x³ + 2 x² − x
  const { dx } = await gradientsOf({ x: vector(-1, 0.5, 2) }, ({ x }) => {
    const square = mul(x!, x!);
    return total(sub(add(mul(square, x!), mul(square, 2)), x!));
  });
  expect(dx).toEqual(vector(-2, 1.75, 19));
});

test("so does one that is given twice to an operator without a rule of its own", async () => {
  const x = noise([3, 2], 1);
  const { dx } = await gradientsOf({ x }, ({ x }) =>
    total(mul(attention(x!, x!, x!, undefined, { scale: 1 }), x!)),
  );
  const loss = (changed: Plain) => {
    const y = attentionOf(changed, changed, changed, { shape: [], data: [0] }, 1);
    return y.data.reduce((all, value, i) => all + value * changed.data[i]!, 0);
  };
  const moved = (i: number, by: number) => loss({ ...x, data: x.data.with(i, x.data[i]! + by) });
  const numeric = x.data.map((_, i) => (moved(i, 1e-4) - moved(i, -1e-4)) / 2e-4);
  expect(difference(dx!, { ...x, data: numeric })).toBeLessThan(1e-5);
});

test("what was broadcast gets the sum over its copies", async () => {
  const given = {
    x: noise([2, 3, 4], 1),
    row: vector(1, 2, 3, 4),
    column: noise([3, 1], 2),
    one: { shape: [], data: [5] },
  };
  const found = await gradientsOf(given, ({ x, row, column, one }) =>
    total(add(add(x!, row!), add(mul(column!, 2), one!))),
  );
  expect(found.dx).toEqual(array([2, 3, 4], () => 1));
  expect(found.drow).toEqual(array([4], () => 6));
  expect(found.dcolumn).toEqual(array([3, 1], () => 16));
  expect(found.done).toEqual({ shape: [], data: [24] });
});

test("tensors of any rank, through a layer and a decomposition", async () => {
  // gelu′(x) = Φ(x) + x φ(x) at 0 is ½, so that the gradient of x is half of the weight's column sums.
  const given = { x: array([2, 1, 3, 2], () => 0), w: { shape: [2, 2], data: [1, 2, 3, 4] } };
  const { dx, dw } = await gradientsOf(given, ({ x, w }) => total(gelu(linear(x!, w!, undefined))));
  expect(
    difference(
      dx!,
      array([2, 1, 3, 2], (...index) => (index[3] === 0 ? 2 : 3)),
    ),
  ).toBeLessThan(1e-6);
  expect(dw).toEqual(array([2, 2], () => 0));
});

test("gradients have gradients", async () => {
  const x = vector(-1, 0.5, 2);
  const { second } = await backend.evaluate({ x: host(x, "float32") }, ({ x }) => {
    const [first] = grad(total(mul(mul(x!, x!), x!)), [x!]);
    return { second: grad(total(first!), [x!])[0]! };
  });
  expect(second).toEqual(vector(-6, 3, 12));
});

test("a parameter may lie between others and the loss", async () => {
  // loss = 3 h², h = 2 x
  const { dx, dh } = await backend.evaluate({ x: host(vector(1, -2), "float32") }, ({ x }) => {
    const h = mul(x!, 2);
    const [dx, dh] = grad(total(mul(mul(h, h), 3)), [x!, h]);
    return { dx: dx!, dh: dh! };
  });
  expect(dh).toEqual(vector(12, -24));
  expect(dx).toEqual(vector(24, -48));
});

test("the loss itself has the gradient 1", async () => {
  const { d } = await backend.evaluate({ x: host({ shape: [], data: [3] }, "float32") }, ({ x }) => {
    const loss = mul(x!, x!);
    return { d: grad(loss, [loss])[0]! };
  });
  expect(d).toEqual({ shape: [], data: [1] });
});

test("results that nobody uses count for nothing", async () => {
  const { dx } = await gradientsOf({ x: vector(1, 2, 3, 4, 5, 6) }, ({ x }) =>
    total(mul(split(x!, { parts: 3, axis: 0 })[1]!, 5)),
  );
  expect(dx).toEqual(vector(0, 0, 5, 5, 0, 0));
});

test("an infinite result that nobody uses does no harm", async () => {
  const { dx } = await gradientsOf({ x: vector(Number.POSITIVE_INFINITY, 1) }, ({ x }) =>
    total(split(x!, { parts: 2, axis: 0 })[1]!),
  );
  expect(dx).toEqual(vector(0, 1));
});

test("what `where` does not choose gets no gradient, whatever its value", async () => {
  const given = { a: vector(1, Number.POSITIVE_INFINITY), b: vector(Number.NaN, 2), choice: vector(-1, 1) };
  const feeds = Object.fromEntries(Object.entries(given).map(([name, x]) => [name, host(x, "float32")]));
  const { da, db } = await backend.evaluate(feeds, ({ a, b, choice }) => {
    const [da, db] = grad(total(where(less(choice!, 0), a!, b!)), [a!, b!]);
    return { da: da!, db: db! };
  });
  expect(da).toEqual(vector(1, 0));
  expect(db).toEqual(vector(0, 1));
});

test("equal maxima share the gradient", async () => {
  const { dx } = await gradientsOf({ x: vector(2, 5, 5, 1, 5) }, ({ x }) => max(x!, { axes: [0] }));
  expect(difference(dx!, vector(0, 1 / 3, 1 / 3, 0, 1 / 3))).toBeLessThan(1e-7);
});

test("row numbers and conditions have no gradient, and stand in nobody's way", async () => {
  const rows = host({ shape: [3], data: [1, 1, 0] }, "int32");
  const { dtable } = await backend.evaluate(
    { table: host(noise([2, 2], 1), "float32"), rows },
    ({ table, rows }) => ({
      dtable: grad(total(gather(table!, rows!)), [table!])[0]!,
    }),
  );
  expect(dtable).toEqual({ shape: [2, 2], data: [1, 1, 2, 2] });
});

test("nothing is computed for frozen weights", () => {
  const graph = createGraph("frozen");
  const x = input(graph, "x", "float32", ["b", 3]);
  const loss = total(tanh(linear(x, weight(graph, "w", [2, 3]), undefined)));
  output(graph, "dx", grad(loss, [x])[0]!);
  const left = rewrite(graph, () => undefined).nodes.filter(({ op }) => !isSource(op));
  expect(left.flatMap(({ results }) => results.map(({ shape }) => shape.join()))).not.toContain("2,3");
});

test("what has no gradient is rejected with a specific error", () => {
  const graph = createGraph("g");
  const x = input(graph, "x", "float32", ["b", 3]);
  const rows = input(graph, "rows", "int32", ["b"]);
  const unused = weight(graph, "lm_head.weight", [3]);
  const loss = total(gather(x, rows));
  const between = exp(x);
  const wrong: readonly [() => unknown, string][] = [
    [() => grad(softmax(x, { axis: -1 }), [x]), "the loss is (b, 3), not a scalar"],
    [() => grad(total(rows), [rows]), "the loss is int32, not a float"],
    [() => grad(loss, [x, unused]), "the loss does not depend on lm_head.weight"],
    [() => grad(loss, [rows]), "the loss does not depend on rows"],
    [() => grad(loss, [x, between]), "the loss does not depend on parameter 1"],
  ];
  for (const [write, message] of wrong) expect(write).toThrow(`grad: ${message} (at `);
});
