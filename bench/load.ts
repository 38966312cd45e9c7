/**
 * How much memory and time does loading take beside the weights themselves? Three bfloat16 checkpoints of the real
 * form, made up and written to a temporary folder, for a model of the 9B's kind with 1.9 GB of float32 weights.
 *
 *     npx tsx bench/load.ts
 */

import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { elementCount } from "../src/base/dtypes.js";
import { openCheckpoint } from "../src/checkpoints/openCheckpoint.node.js";
import { releasedCrossAttention } from "../src/models/crossAttention.js";
import type { FlamingoConfig } from "../src/models/flamingo.js";
import { mpt } from "../src/models/mpt.js";
import { releasedPerceiver } from "../src/models/perceiver.js";
import { compile } from "../src/onnx/compile.js";
import { decodeGraph, encodeGraph } from "../src/runner/graphs.js";
import { openModelRunner } from "../src/runner/modelRunner.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { reportMachine } from "./measure.js";

const config: FlamingoConfig = {
  vision: {
    imageSize: 224,
    patchSize: 14,
    hiddenSize: 1024,
    layers: 6,
    heads: 16,
    mlpRatio: 4,
    activation: "quickGelu",
  },
  perceiver: releasedPerceiver,
  crossAttention: releasedCrossAttention,
  crossAttentionEvery: 4,
  language: mpt({
    layers: 4,
    hiddenSize: 2048,
    heads: 16,
    mlpRatio: 4,
    vocabulary: 50280,
    contextLength: 2048,
    alibiMax: 8,
  }),
};

const uses = [encodeGraph(config), decodeGraph(config)].flatMap((graph) => compile(graph).weights);
const shapes = new Map(uses.map(({ tensor, from }) => [tensor, from]));
const weightBytes = [...shapes.values()].reduce((sum, shape) => sum + 4 * elementCount(shape), 0);

/** Writes the tensors whose names begin with `prefix`, by the name that `rename` gives, as bfloat16. */
async function write(
  file: string,
  belongs: (name: string) => boolean,
  rename: (name: string) => string,
): Promise<void> {
  const header: Record<string, unknown> = {};
  const mine = [...shapes].filter(([name]) => belongs(name));
  let offset = 0;
  for (const [name, shape] of mine) {
    const size = 2 * elementCount(shape);
    header[rename(name)] = { dtype: "BF16", shape, data_offsets: [offset, offset + size] };
    offset += size;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await pipeline(function* () {
    yield length;
    yield text;
    // 0.01 as bfloat16, over and over.
    for (let left = offset; left > 0; left -= 2 ** 22) {
      yield Buffer.from(new Uint16Array(Math.min(left, 2 ** 22) / 2).fill(0x3c24).buffer);
    }
  }, createWriteStream(file));
}

const folder = mkdtempSync(join(tmpdir(), "openflamingo-bench-"));
try {
  const trained = (name: string) => /^perceiver\.|gated_cross_attn_layer/.test(name);
  await write(
    join(folder, "vision"),
    (name) => name.startsWith("vision_encoder."),
    (name) => name.replace("vision_encoder.", "visual."),
  );
  await write(
    join(folder, "language"),
    (name) => name.startsWith("lang_encoder.") && !trained(name),
    (name) => name.replace("lang_encoder.", ""),
  );
  await write(join(folder, "flamingo"), trained, (name) => name);

  const runtime = await openOrtFfi();
  const [vision, language, flamingo] = await Promise.all(
    ["vision", "language", "flamingo"].map((name) => openCheckpoint(join(folder, name))),
  );
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  const start = performance.now();
  const backend = await openModelRunner({
    runtime,
    config,
    checkpoints: { vision: vision!, language: language!, flamingo: flamingo! },
    imageToken: 50278,
  });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(watch);
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  reportMachine();
  console.log(
    `weights as float32 ${gigabytes(weightBytes)}, read from ${gigabytes(weightBytes / 2)} of bfloat16`,
  );
  console.log(`loaded in ${seconds.toFixed(1)} s (${gigabytes(weightBytes / seconds)} a second)`);
  console.log(
    `memory ${gigabytes(before)} before, ${gigabytes(process.memoryUsage.rss())} after, ${gigabytes(peak)} at most`,
  );
  await backend.close();
  await runtime.close();
} finally {
  rmSync(folder, { recursive: true });
}
