/**
 * How long does a picture take? ViT-L/14 at full size with random weights, one picture of 224 pixels a side.
 *
 *     npx tsx bench/vit.ts [threads] [prepack]
 */
import { createGraph, input, output } from "../src/graph/index.js";
import { params } from "../src/models/layers.js";
import { vit } from "../src/models/vit.js";
import { vitL14 } from "../src/models/zoo.js";
import { compile } from "../src/onnx/compile.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { report, reportMachine, timed } from "./measure.js";
import { withRandomWeights } from "./randomModel.js";

const threads = Number(process.argv[2] ?? 2);
const prepack = process.argv[3] === "prepack";
const graph = createGraph("vit");
output(graph, "tokens", vit(params(graph), input(graph, "pixels", "float32", ["N", 3, 224, 224]), vitL14));
await using runtime = await openOrtFfi();
const session = await runtime.load(withRandomWeights(compile(graph)), { threads, prepack });
const pixels = {
  dtype: "float32",
  shape: [1, 3, 224, 224],
  data: new Float32Array(3 * 224 * 224).fill(0.1),
} as const;

reportMachine();
const cpu = process.cpuUsage();
const times = await timed(() => session.run({ pixels }), 7);
const { user } = process.cpuUsage(cpu);
report(`ViT-L/14, one picture, ${threads} threads${prepack ? ", weights packed" : ""}`, times, "ms", 0);
console.log(`processor time of a picture: ${(user / 1000 / 8).toFixed(0)} ms`);
// Two operations a weight and token, and the two products of attention.
const tokens = 257;
const { width: d, layers, mlpRatio } = vitL14;
const operations = 2 * tokens * layers * ((4 + 2 * mlpRatio) * d * d + 2 * tokens * d) + 2 * 256 * 588 * d;
console.log(
  `${(operations / 1e9).toFixed(0)} GFLOP a picture, ${(operations / 1e6 / Math.min(...times)).toFixed(0)} GFLOP/s at best`,
);
console.log(`peak memory ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
