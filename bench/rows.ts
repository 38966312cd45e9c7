/**
 * Products of so many rows with twelve matrices of 4096 × 4096 in float32, as they are and turned round (see
 * `fewRows`): milliseconds for all twelve, the best of 25 runs turn by turn.
 *
 *     npx tsx bench/rows.ts [threads]
 */
import { createGraph, fewRows, type Graph, input, linear, output, weight } from "../src/graph/index.js";
import { compile } from "../src/onnx/compile.js";
import { zeros } from "../src/runtime/hostTensor.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { reportMachine } from "./measure.js";
import { withRandomWeights } from "./randomModel.js";

const threads = Number(process.argv[2] ?? 2);
const [width, matrices, runs] = [4096, 12, 25];

function products(): Graph {
  const graph = createGraph("products");
  let x = input(graph, "x", "float32", ["rows", width]);
  for (let i = 0; i < matrices; i++) x = linear(x, weight(graph, `w${i}`, [width, width]), undefined);
  output(graph, "y", x);
  return graph;
}

await using runtime = await openOrtFfi();
reportMachine(runtime);
const plain = withRandomWeights(compile(products()), 1e-3);
const turned = { ...plain, ...compile(fewRows(products())).program };
const ways = [
  { what: "as they are", session: await runtime.load(plain, { threads }) },
  { what: "turned round", session: await runtime.load(turned, { threads }) },
];
for (const rows of [1, 2, 3, 8, 16, 32, 64, 128, 256]) {
  const x = zeros("float32", [rows, width]);
  const best = ways.map(() => Number.POSITIVE_INFINITY);
  for (let run = 0; run < runs; run++) {
    for (const [i, { session }] of ways.entries()) {
      const start = performance.now();
      await session.run({ x });
      best[i] = Math.min(best[i]!, performance.now() - start);
    }
  }
  console.log(`${rows} rows: ${ways.map(({ what }, i) => `${what} ${best[i]!.toFixed(0)} ms`).join(", ")}`);
}
