/** The rewrite that puts weights in blocks into a graph, on the backend. */
import { describe, expect, test } from "vitest";
import {
  createGraph,
  type FormatOf,
  gather,
  input,
  linear,
  output,
  print,
  quantize,
  rewrite,
  weight,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import { quantizeMatrix } from "../../src/runner/quantize.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { difference, host, noise, type Plain, plain } from "./arrays.js";
import { useBackend } from "./evaluate.js";

const backend = useBackend();
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

async function run(formatOf: FormatOf) {
  const compiled = compile(quantize(graphOf(), formatOf));
  const numbers: Readonly<Record<string, Plain>> = { w: matrix, bias, v: noise([3, n], 3) };
  const part = compiled.weights.find((use) => use.part)?.part;
  const blocks = part && (await quantizeMatrix(host(matrix, "float32").data as Float32Array, [n, k], part));
  await using session = await backend.runtime.load(
    compiled.with((name) => {
      const { dtype, shape, tensor, part } = compiled.weights.find((use) => use.name === name)!;
      const { data } = host(numbers[tensor]!, "float32");
      if (!part) return { dtype, shape, data } as HostTensor;
      return { dtype, shape, data: blocks![part.part] } as HostTensor;
    }),
  );
  const found = await session.run({
    x: host(noise([5, k], 4), "float32"),
    ids: host({ shape: [2], data: [47, 0] }, "int32"),
    z: host(noise([5, n], 5), "float32"),
  });
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, plain(tensor)]));
}

describe.each([
  { bits: 4, block: 32, exact: true, most: 0.6 },
  { bits: 4, block: 64, exact: false, most: 0.8 },
  { bits: 8, block: 32, exact: false, most: 0.06 },
  { bits: 8, block: 128, exact: false, most: 0.08 },
] as const)("$bits bits in blocks of $block, exact: $exact", ({ most, ...format }) => {
  test("products and look-ups are near those of the numbers, and the rest is as it was", async () => {
    const [with_, without] = [
      await run((name) => (name === "w" ? format : undefined)),
      await run(() => undefined),
    ];
    const off = difference(with_.y!, without.y!);
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(most);
    expect(difference(with_.rows!, without.rows!)).toBeLessThan(most / 4);
    expect(with_.plain).toEqual(without.plain);
  });
});

test("a graph of which nothing is kept in blocks is the same graph", () => {
  expect(print(quantize(graphOf(), () => undefined))).toBe(print(rewrite(graphOf(), () => undefined)));
});
