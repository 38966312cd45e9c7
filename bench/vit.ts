/**
 * How long do images take, one and eight at a time? ViT-L/14 at full size with random weights, images of 224 pixels
 * a side; beside PyTorch with open_clip's tower, turn by turn, where a Python has both.
 *
 *     npx tsx bench/vit.ts [threads] [prepack] [--python PATH]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGraph, input, output } from "../src/graph/index.js";
import { params } from "../src/models/layers.js";
import { vit } from "../src/models/vit.js";
import { vitL14 } from "../src/models/zoo.js";
import { compile } from "../src/onnx/compile.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { median, report, reportMachine } from "./measure.js";
import { missing, type Peer, pythonOf, pythonVariable, startPeer } from "./peers/python.js";
import { withRandomWeights } from "./randomModel.js";

const { values, positionals } = parseArgs({
  options: { python: { type: "string" } },
  allowPositionals: true,
});
const threads = Number(positionals[0] ?? 2);
const prepack = positionals[1] === "prepack";

const graph = createGraph("vit");
output(graph, "tokens", vit(params(graph), input(graph, "pixels", "float32", ["N", 3, 224, 224]), vitL14));
await using runtime = await openOrtFfi();
const session = await runtime.load(withRandomWeights(compile(graph)), { threads, prepack });

// Two operations a weight and token, and the two products of attention.
const tokens = 257;
const { hiddenSize: d, layers, mlpRatio } = vitL14;
const operations = 2 * tokens * layers * ((4 + 2 * mlpRatio) * d * d + 2 * tokens * d) + 2 * 256 * 588 * d;
const speed = (ms: number) => `${(operations / 1e6 / ms).toFixed(0)} GFLOP/s at best`;

/** Milliseconds and processor milliseconds of a run. */
async function run(batch: number): Promise<{ ms: number; processor: number }> {
  const data = new Float32Array(batch * 3 * 224 * 224).fill(0.1);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await session.run({ pixels: { dtype: "float32", shape: [batch, 3, 224, 224], data } });
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, processor: (user + system) / 1000 };
}

async function compare(batch: number, runs: number, peer: Peer | undefined): Promise<void> {
  const own: number[] = [];
  const processor: number[] = [];
  const theirs: number[] = [];
  for (let i = -1; i < runs; i++) {
    const ours = await run(batch);
    const other = peer && Number(await peer.line(String(batch)));
    if (i < 0) continue; // a warm-up
    own.push(ours.ms / batch);
    processor.push(ours.processor / batch);
    if (other !== undefined) theirs.push(other / batch);
  }
  const how = `${threads} threads${prepack ? ", weights packed" : ""}`;
  report(`ViT-L/14, ${batch} at a time, ${how}, an image`, own, "ms", 0);
  console.log(`  processor time ${median(processor).toFixed(0)} ms, ${speed(Math.min(...own))}`);
  if (theirs.length === 0) return;
  report("  PyTorch", theirs, "ms", 0);
  const ratio = median(own.map((ms, i) => ms / theirs[i]!));
  const verdict = ratio > 1 ? "ours is slower: it takes" : "ours takes";
  console.log(`  ${speed(Math.min(...theirs))}; ${verdict} ${ratio.toFixed(2)} times as long`);
}

reportMachine(runtime);
console.log(`${(operations / 1e9).toFixed(0)} GFLOP an image`);
const python = pythonOf(values.python);
const lacking = missing(python, ["torch", "open_clip"]);
const temporary = mkdtempSync(join(tmpdir(), "openflamingo-peer-"));
try {
  const script = fileURLToPath(new URL("peers/vit.py", import.meta.url));
  using peer = lacking === undefined ? startPeer(python, [script, String(threads)], temporary) : undefined;
  console.log(
    peer
      ? `beside ${await peer.line()}`
      : `skipped PyTorch: ${lacking} (pip install torch open_clip_torch; --python PATH or ${pythonVariable})`,
  );
  for (const [batch, runs] of [
    [1, 7],
    [8, 3],
  ] as const) {
    await compare(batch, runs, peer);
  }
} finally {
  rmSync(temporary, { recursive: true });
}
console.log(`our peak memory ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(2)} GiB`);
