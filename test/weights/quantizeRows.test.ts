/** From plain numbers to rows of 8 bits: how near they are, and that no product of them can be cut. */
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { createGraph, input, output, rowQuantizedLinear, weightParts } from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { quantizeRows } from "../../src/weights/quantizeRows.js";
import { useBackend } from "../graph/evaluate.js";

const backend = useBackend();
const random = randomStream(1, "rows");
const normals = (count: number) => Float32Array.from({ length: count }, (_, i) => random.normal(i));

test("normal numbers have the error that is known of this format", () => {
  const [n, k] = [64, 1024];
  const x = normals(n * k);
  const { values, scales } = quantizeRows(x, [n, k]);
  let [off, size] = [0, 0];
  for (let i = 0; i < n * k; i++) {
    const [row, column] = [Math.floor(i / k), i % k];
    off += (values[column * n + row]! * scales[row]! - x[i]!) ** 2;
    size += x[i]! ** 2;
  }
  expect(Math.sqrt(off / size)).toBeLessThan(0.011);
});

test("a row of zeros stays one, and an odd number of columns is read to its end", () => {
  const { values, scales } = quantizeRows(Float32Array.of(0, 0, 0, 1, 2, -4), [2, 3]);
  expect(Array.from({ length: 3 }, (_, i) => values[2 * i])).toEqual([0, 0, 0]);
  expect(scales[0]).toBe(0);
  expect([1, 3, 5].map((i) => values[i]! * scales[1]!)).toEqual([
    expect.closeTo(1, 1),
    expect.closeTo(2, 1),
    expect.closeTo(-4, 6),
  ]);
});

describe("two neighbours", () => {
  test.each([
    ["normal numbers", normals(2 * 512)],
    ["equal ones", new Float32Array(2 * 512).fill(0.3)],
    ["one large, one small", Float32Array.from({ length: 2 * 512 }, (_, i) => (i % 2 ? -1e-3 : 5))],
    ["just about half", Float32Array.from({ length: 2 * 512 }, (_, i) => (i % 4 === 0 ? 64.5 : 63.5))],
  ])("come to at most 128: %s", (_, x) => {
    const { values } = quantizeRows(x, [2, 512]);
    for (let i = 0; i < 512; i += 2) {
      for (const row of [0, 1]) {
        const [a, b] = [values[2 * i + row]!, values[2 * (i + 1) + row]!];
        expect(Math.abs(a) + Math.abs(b)).toBeLessThanOrEqual(128);
      }
    }
  });
});

/** x (rows, k) times the weight, by the backend. */
async function multiply(x: Float32Array, k: number, matrix: Float32Array, n: number): Promise<Float32Array> {
  const graph = createGraph("product");
  const parts = weightParts(graph, "w", [n, k], { bits: 8, block: "row" })[0]!;
  output(
    graph,
    "y",
    rowQuantizedLinear(input(graph, "x", "float32", ["rows", k]), parts.values, parts.scales),
  );
  const rows = quantizeRows(matrix, [n, k]);
  const compiled = compile(graph);
  const weightOf = (name: string) => {
    const { dtype, shape, part } = compiled.weights.find((use) => use.name === name)!;
    return { dtype, shape, data: rows[part!.part] } as HostTensor;
  };
  await using session = await backend.runtime.load(compiled.with(weightOf));
  const { y } = await session.run({ x: { dtype: "float32", shape: [x.length / k, k], data: x } });
  return y!.data as Float32Array;
}

// x64 without VNNI adds two products in 16 bits: there the largest numbers are the test, on other machines a formality.
test.each([1, 2, 5, 64])("the largest numbers that there are, %i rows: no sum is cut", async (rows) => {
  const [n, k] = [32, 128];
  const x = new Float32Array(rows * k).fill(3);
  const matrices = [() => 1, (i: number) => (i % 2 ? 0.001 : 1), (i: number) => (i % 2 ? 1 : 0.25), () => -1];
  for (const value of matrices) {
    const matrix = Float32Array.from({ length: n * k }, (_, i) => value(i));
    const exact = Array.from({ length: k }, (_, i) => 3 * value(i)).reduce((a, b) => a + b);
    for (const y of await multiply(x, k, matrix, n)) expect(Math.abs(y / exact - 1)).toBeLessThan(0.01);
  }
});

test("a token that is a thousand times as large leaves the others as they were, and one of zeros gives zeros", async () => {
  const [n, k] = [32, 256];
  const [matrix, usual] = [normals(n * k), normals(3 * k)];
  const large = usual.map((value, i) => (i < k ? 1000 * value : i < 2 * k ? 0 : value));
  const [y, beside] = [await multiply(usual, k, matrix, n), await multiply(large, k, matrix, n)];
  expect(beside.subarray(2 * n)).toEqual(y.subarray(2 * n));
  expect(beside.subarray(n, 2 * n)).toEqual(new Float32Array(n));
});
