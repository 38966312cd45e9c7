/**
 * What it takes to make the learning program of a released form ready, all blocks of it, beside its decode program: nodes,
 * seconds of writing and lowering the graph, seconds of making the session. All weights are one piece of memory.
 *
 *     npx tsx bench/learnSession.ts [FORM] [--recompute] [--precision amp_bf16] [--blocks N]
 */
import { parseArgs } from "node:util";
import { elementCount } from "../src/base/dtypes.js";
import type { Graph } from "../src/graph/index.js";
import { learnGraph, type Precision } from "../src/learn/learnGraph.js";
import { zoo } from "../src/models/zoo.js";
import { compile } from "../src/onnx/compile.js";
import { lower } from "../src/onnx/lower.js";
import { decodeGraph } from "../src/runner/graphs.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { reportMachine } from "./measure.js";

const { values: given, positionals } = parseArgs({
  options: {
    recompute: { type: "boolean", default: false },
    precision: { type: "string", default: "fp32" },
    blocks: { type: "string" },
  },
  allowPositionals: true,
});
const form = zoo.find(({ name }) =>
  name.endsWith(`OpenFlamingo-${positionals[0] ?? "3B-vitl-mpt1b"}`),
)!.config;
const config = {
  ...form,
  language: { ...form.language, layers: Number(given.blocks ?? form.language.layers) },
};
const runtime = await openOrtFfi();
reportMachine(runtime);

async function measure(what: string, write: () => Graph): Promise<void> {
  let start = performance.now();
  const seconds = () => {
    const now = performance.now();
    const passed = ((now - start) / 1000).toFixed(2);
    start = now;
    return `${passed} s`;
  };
  const graph = write();
  const written = seconds();
  const compiled = compile(graph);
  const lowered = seconds();
  const most = Math.max(...compiled.weights.map(({ shape }) => elementCount(shape)));
  const memory = new Float32Array(most);
  const program = compiled.with((name) => {
    const { dtype, shape } = compiled.weights.find((each) => each.name === name)!;
    return { dtype, shape, data: memory.subarray(0, elementCount(shape)) } as never;
  });
  start = performance.now();
  const before = process.cpuUsage();
  const session = await runtime.load(program, { threads: 1 });
  const loaded = seconds();
  const { user, system } = process.cpuUsage(before);
  const cpu = ((user + system) / 1e6).toFixed(2);
  console.log(
    `${what}: ${lower(graph).nodes.length} nodes, written in ${written}, lowered in ${lowered}, ` +
      `session in ${loaded} (processor ${cpu} s)`,
  );
  await session.close();
}

await measure("decode", () => decodeGraph(config));
await measure(
  "learn",
  () =>
    learnGraph(config, {
      embeddingRows: [config.language.vocabulary - 3, config.language.vocabulary - 2],
      recompute: given.recompute,
      precision: given.precision as Precision,
    }).graph,
);
await runtime.close();
