/**
 * Every operator of the language against plain numbers: its values, its gradient against central differences, and its
 * decomposition against both. The references and their differences are computed in double precision (the step of 1e-4
 * errs by about 1e-8), so that all that the tolerances allow is the backend's float32.
 */
import { describe, expect, test } from "vitest";
import {
  add,
  createGraph,
  grad,
  input,
  mul,
  type Node,
  operators,
  output,
  scatterAdd,
  sum,
  type Tensor,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import { array, difference, dot, host, noise, type Plain, plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";
import { activation } from "./operators/activation.js";
import { attention } from "./operators/attention.js";
import { barrier } from "./operators/barrier.js";
import type { Case, Cases } from "./operators/cases.js";
import { elementwise } from "./operators/elementwise.js";
import { gather } from "./operators/gather.js";
import { layout } from "./operators/layout.js";
import { linear } from "./operators/linear.js";
import { normalize } from "./operators/normalize.js";
import { quantized } from "./operators/quantized.js";
import { reduce } from "./operators/reduce.js";
import { sources } from "./operators/sources.js";

const cases: Cases = {
  ...sources,
  ...elementwise,
  ...reduce,
  ...layout,
  ...gather,
  ...linear,
  ...quantized,
  ...normalize,
  ...activation,
  ...attention,
  ...barrier,
};

const backend = useBackend();

test("every operator has cases, and no other", () => {
  expect(Object.keys(cases).sort()).toEqual(operators.map(({ name }) => name).sort());
});

describe.each(operators)("$name", (op) => {
  const all = cases[op.name] ?? [];

  test("has values, a gradient, and a way to the backend", () => {
    expect(op.onnx ?? op.decomposition).toBeDefined();
    expect(all.length).toBeGreaterThan(0);
    const written = all.map((each) => write(each, "lowering"));
    expect(written.map(({ results }) => results[0]!.node.op.name)).toEqual(all.map(() => op.name));
    if (op.grad !== "none") expect(written.some(({ gradients }) => gradients.size > 0)).toBe(true);
  });

  test.each(all)("$what", (each) => check(each, "lowering"));

  const another = op.decomposition && (op.onnx || op.grad);
  if (another) test.each(all)("$what, by the decomposition", (each) => check(each, "decomposition"));
});

test("scatterAdd adds every value of one row, also on several threads", async () => {
  const graph = createGraph("scatterAdd");
  const rows = input(graph, "rows", "int32", ["n"]);
  output(graph, "y", scatterAdd(rows, input(graph, "values", "float32", ["n", 4]), { count: 3 }));
  const program = { ...compile(graph).program, weights: new Map() };
  await using session = await backend.runtime.load(program, { threads: 4 });
  const n = 30_000;
  const [turns, ones] = [array([n], (i) => i! % 3), array([n, 4], () => 1)];
  const { y } = await session.run({ rows: host(turns, "int32"), values: host(ones, "float32") });
  expect([...y!.data]).toEqual(Array(12).fill(n / 3));
});

/** The graph of a case: its results, and the gradients of Σ result · cotangent for all inputs of floats. */
function write({ what, inputs: given, write: apply }: Case, way: "lowering" | "decomposition") {
  const graph = createGraph(what);
  const inputs = Object.entries(given).map(
    ([name, { dtype, shape }]) => [name, input(graph, name, dtype, shape)] as const,
  );
  const called = [apply(Object.fromEntries(inputs), graph)].flat();
  const results = way === "lowering" ? called : defined(called[0]!.node);
  results.forEach((result, i) => {
    output(graph, `result${i}`, result);
  });

  const gradients = new Map<string, Tensor>();
  const losses = results.flatMap((result, i) => {
    if (!isFloat(result)) return [];
    const cotangent = input(graph, `cotangent${i}`, result.dtype, result.shape);
    return [sum(mul(result, cotangent), { axes: result.shape.map((_, axis) => axis) })];
  });
  const floats = inputs.filter(([, tensor]) => isFloat(tensor));
  if (losses.length > 0 && floats.length > 0 && called[0]!.node.op.grad !== "none") {
    const all = grad(
      losses.reduce((a, b) => add(a, b)),
      floats.map(([, tensor]) => tensor),
    );
    floats.forEach(([name], i) => {
      output(graph, `gradient of ${name}`, all[i]!);
      gradients.set(name, all[i]!);
    });
  }
  return { graph, results, gradients };
}

const isFloat = ({ dtype }: Tensor): boolean => dtype.startsWith("float");

/** What the operator's decomposition makes of the node's inputs. */
function defined({ op, inputs, attributes, results, graph }: Node): readonly Tensor[] {
  const named = Object.fromEntries(op.inputs.map((name, i) => [name, inputs[i]]));
  return op.decomposition!(named, attributes, results, graph);
}

async function check(each: Case, way: "lowering" | "decomposition"): Promise<void> {
  const { graph, results, gradients } = write(each, way);
  await using session = await backend.load(graph);
  const isNamed = Object.values(each.inputs).some(({ shape }) =>
    shape.some((dim) => typeof dim === "string"),
  );
  for (const sizes of isNamed ? each.runs : each.runs.slice(0, 1)) {
    const values = Object.fromEntries(
      Object.entries(each.inputs).map(([name, given], i) => {
        const shape = given.shape.map((dim) => (typeof dim === "number" ? dim : sizes[dim]!));
        return [name, given.values(shape, i + 1, sizes)];
      }),
    );
    const expected = [each.expected(values, sizes)].flat();
    const cotangents = expected.map(({ shape }, i) => noise(shape, 100 + i));

    const feeds = Object.fromEntries([
      ...Object.entries(each.inputs).map(([name, { dtype }]) => [name, host(values[name]!, dtype)]),
      ...results.flatMap((y, i) => (isFloat(y) ? [[`cotangent${i}`, host(cotangents[i]!, y.dtype)]] : [])),
    ]);
    const found = await session.run(feeds);
    expected.forEach((y, i) => {
      const off = difference(plain(found[`result${i}`]!), y);
      expect(off, `result ${i} with ${JSON.stringify(sizes)}`).toBeLessThan(2e-6);
    });

    const loss = (changed: Readonly<Record<string, Plain>>) =>
      [each.expected({ ...values, ...changed }, sizes)]
        .flat()
        .map((y, i) => dot(y, cotangents[i]!))
        .reduce((a, b) => a + b);
    for (const name of gradients.keys()) {
      const numeric = differences((x) => loss({ [name]: x }), values[name]!);
      const off = difference(plain(found[`gradient of ${name}`]!), numeric);
      expect(off, `gradient of ${name} with ${JSON.stringify(sizes)}`).toBeLessThan(1e-5);
    }
  }
}

/** The central differences of a function, one number at a time. */
function differences(f: (x: Plain) => number, { shape, data }: Plain, step = 1e-4): Plain {
  const moved = (i: number, by: number) => f({ shape, data: data.with(i, data[i]! + by) });
  return { shape, data: data.map((_, i) => (moved(i, step) - moved(i, -step)) / (2 * step)) };
}
