/** The rewrite for calibration: sums of squares of the columns of products' inputs, on both backends. */
import { describe, expect, test } from "vitest";
import {
  add,
  createGraph,
  gather,
  input,
  inputSquares,
  linear,
  output,
  quantize,
  tensorOfSquares,
  weight,
} from "../../src/graph/index.js";
import { compile } from "../../src/onnx/compile.js";
import type { HostTensor } from "../../src/runtime/hostTensor.js";
import { quantizeMatrix } from "../../src/weights/quantize.js";
import { quantizeRows } from "../../src/weights/quantizeRows.js";
import { backends } from "../runtime/backends.js";
import { host, noise } from "./arrays.js";

const [n, k] = [48, 96];
const numbers = host(noise([n, k], 1), "float32").data as Float32Array;
const x = noise([2, 5, k], 4);
const z = noise([3, k], 5);

/** Two products with one matrix, a look-up in it, and a product with another. */
function graphOf() {
  const graph = createGraph("products");
  const w = weight(graph, "w", [n, k]);
  const rows = gather(w, input(graph, "ids", "int32", ["i"]));
  const y = linear(input(graph, "x", "float32", ["b", "t", k]), w, weight(graph, "bias", [n]));
  output(graph, "y", y);
  output(graph, "y of z", linear(input(graph, "z", "float32", ["r", k]), w, undefined));
  output(graph, "y of rows", linear(add(rows, rows), weight(graph, "v", [n, k]), undefined));
  return graph;
}

const squaresOf = (...inputs: { data: readonly number[] }[]) =>
  Array.from({ length: k }, (_, column) =>
    inputs.reduce(
      (all, { data }) => all + data.reduce((sum, each, i) => sum + (i % k === column ? each ** 2 : 0), 0),
      0,
    ),
  );

const formats = {
  float32: undefined,
  "blocks of 4 bits": { bits: 4, block: 32, exact: false },
  "rows of 8 bits": { bits: 8, block: "row" },
} as const;

describe.each(backends)("$name", ({ open }) => {
  test.each(Object.keys(formats) as (keyof typeof formats)[])("%s", async (name) => {
    const format = formats[name];
    const plain = quantize(graphOf(), () => format);
    const squaresOfW = inputSquares(
      graphOf(),
      (tensor, shape) => tensor === "w" && shape.join() === `${n},${k}`,
    );
    const watched = quantize(squaresOfW, () => format);
    const added = [...watched.outputs.keys()].filter((output) => !plain.outputs.has(output));
    expect(added.map(tensorOfSquares)).toEqual(["w"]);
    expect([...plain.outputs.keys()].map(tensorOfSquares)).toEqual([undefined, undefined, undefined]);

    await using runtime = await open();
    const run = async (graph: typeof plain) => {
      const compiled = compile(graph);
      const parts =
        format?.block === "row"
          ? quantizeRows(numbers, [n, k])
          : format && (await quantizeMatrix(numbers, [n, k], format));
      await using session = await runtime.load(
        compiled.with((name) => {
          const { dtype, shape, part } = compiled.weights.find((use) => use.name === name)!;
          if (part) return { dtype, shape, data: parts![part.part] } as HostTensor;
          return { dtype, shape, data: shape.length === 1 ? new Float32Array(n) : numbers } as HostTensor;
        }),
      );
      return await session.run({
        x: host(x, "float32"),
        z: host(z, "float32"),
        ids: host({ shape: [2], data: [47, 0] }, "int32"),
      });
    };
    const [expected, found] = [await run(plain), await run(watched)];
    for (const name of Object.keys(expected)) expect(found[name]).toEqual(expected[name]);
    const squares = found[added[0]!]!;
    expect(squares.shape).toEqual([k]);
    const wanted = squaresOf(x, z);
    (squares.data as Float32Array).forEach((each, column) => {
      expect(each / wanted[column]!).toBeCloseTo(1, 5);
    });
  });
});
