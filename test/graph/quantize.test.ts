/** The rewrite that puts weights in few bits into a graph, on both backends. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createGraph,
  type FormatOf,
  gather,
  input,
  isInRows,
  linear,
  output,
  print,
  quantize,
  rewrite,
  weight,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { quantizeMatrix } from "../../src/weights/quantize.js";
import { quantizeRows } from "../../src/weights/quantizeRows.js";
import { backends } from "../runtime/backends.js";
import { difference, host, noise, type Plain, plain } from "./arrays.js";

const [n, k] = [48, 96];
const matrix = noise([n, k], 1);
const bias = noise([n], 2);

/** A product with a matrix, a look-up in it, and a product with another one that stays as it is. */
function graphOf() {
  const graph = createGraph("two products");
  const w = weight(graph, "w", [n, k]);
  output(graph, "y", linear(input(graph, "x", "float32", ["t", k]), w, weight(graph, "bias", [n])));
  output(graph, "rows", gather(w, input(graph, "ids", "int32", ["i"])));
  output(
    graph,
    "plain",
    linear(input(graph, "z", "float32", ["t", n]), weight(graph, "v", [3, n]), undefined),
  );
  return graph;
}

async function run(runtime: Runtime, formatOf: FormatOf) {
  const compiled = compile(quantize(graphOf(), formatOf));
  const plainOf: Readonly<Record<string, Plain>> = { w: matrix, bias, v: noise([3, n], 3) };
  const numbers = host(matrix, "float32").data as Float32Array;
  const weights = new Map<string, HostTensor>();
  for (const { name, dtype, shape, tensor, part } of compiled.weights) {
    const data = !part
      ? host(plainOf[tensor]!, "float32").data
      : isInRows(part)
        ? quantizeRows(numbers, [n, k])[part.part]
        : (await quantizeMatrix(numbers, [n, k], part, { span: part.span }))[part.part];
    weights.set(name, { dtype, shape, data } as HostTensor);
  }
  await using session = await runtime.load(compiled.with((name) => weights.get(name)!));
  const found = await session.run({
    x: host(noise([5, k], 4), "float32"),
    ids: host({ shape: [2], data: [47, 0] }, "int32"),
    z: host(noise([5, n], 5), "float32"),
  });
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, plain(tensor)]));
}

const formats = [
  { bits: 4, block: 32, exact: true, most: 0.6 },
  { bits: 4, block: 64, exact: false, most: 0.8 },
  { bits: 8, block: 32, exact: false, most: 0.06 },
  { bits: 8, block: 128, exact: false, most: 0.08 },
  { bits: 4, block: 16, columns: 32, exact: true, most: 0.6 },
  { bits: 4, block: 32, columns: 64, exact: false, most: 0.6 },
  { bits: 8, block: "row", most: 0.08 },
] as const;

describe.each(backends)("$name", ({ open }) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await open();
  });
  afterAll(() => runtime.close());

  test.each(formats)(
    "$bits bits, block $block, exact $exact, columns $columns: products and look-ups are near those of the numbers, the rest is as it was",
    async ({ most, ...format }) => {
      const found = await run(runtime, (name) => (name === "w" ? format : undefined));
      const expected = await run(runtime, () => undefined);
      const off = difference(found.y!, expected.y!);
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(most);
      expect(difference(found.rows!, expected.rows!)).toBeLessThan(most / 4);
      expect(found.plain).toEqual(expected.plain);
    },
  );
});

test("a wide matrix is kept as several side by side, which answer as one does", async () => {
  const [{ open }] = backends as unknown as [(typeof backends)[number]];
  await using runtime = await open();
  const format = { bits: 4, block: 32, exact: true } as const;
  const one = await run(runtime, (name) => (name === "w" ? format : undefined));
  const several = await run(runtime, (name) => (name === "w" ? { ...format, columns: 64 } : undefined));
  expect(several.rows).toEqual(one.rows);
  expect(difference(several.y!, one.y!)).toBeLessThan(1e-5);
  const { weights } = compile(
    quantize(graphOf(), (name) => (name === "w" ? { ...format, columns: 64 } : undefined)),
  );
  expect(weights.flatMap(({ name, part }) => (part ? [[name, part.span]] : []))).toEqual([
    ["w:0-64:values", [0, 64]],
    ["w:0-64:scales", [0, 64]],
    ["w:64-96:values", [64, 96]],
    ["w:64-96:scales", [64, 96]],
  ]);
});

test("a graph of which nothing is kept in few bits is the same graph", () => {
  expect(print(quantize(graphOf(), () => undefined))).toBe(print(rewrite(graphOf(), () => undefined)));
});
