/**
 * Writes torch and safetensors files from a golden checkpoint, and the logs of a run, for PyTorch and TensorBoard to read:
 * `bench/peers/checkpoints.py`.
 *
 *     npx tsx bench/peers/checkpoints.ts FOLDER [--large]
 *
 * `--large` adds a file of 4.4 GB, whose places need 64 bits.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { elementCount } from "../../src/base/dtypes.js";
import { randomStream } from "../../src/base/random.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { writeSafetensors } from "../../src/checkpoints/writeSafetensors.node.js";
import { writeTorch } from "../../src/checkpoints/writeTorch.node.js";
import type { WrittenTensor } from "../../src/checkpoints/writtenTensor.js";
import { openLogs } from "../../src/runs/logs.node.js";
import { trainedPart, trainingCheckpoint } from "../../src/runs/torchCheckpoint.js";
import { golden } from "../../test/goldens.js";

const [folder, option] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: checkpoints.ts FOLDER [--large]");
await mkdir(folder, { recursive: true });

const file = golden("tiny-openflamingo-3b/checkpoint.pt");
const checkpoint = await openCheckpoint(file);
const parameters = new Map<string, WrittenTensor>();
const moments = { expAvg: new Map<string, WrittenTensor>(), expAvgSq: new Map<string, WrittenTensor>() };
for (const name of [...checkpoint.tensors.keys()].sort()) {
  const { shape } = checkpoint.tensors.get(name)!;
  const data = new Float32Array(elementCount(shape));
  await checkpoint.read(name, data);
  parameters.set(name, { shape, data });
  // What the script knows how to make as well.
  moments.expAvg.set(name, { shape, data: data.map((x) => x / 2) });
  moments.expAvgSq.set(name, { shape, data: data.map((x) => x * x) });
}
await checkpoint.close();

await writeTorch(join(folder, "checkpoint.pt"), trainedPart(parameters));
await writeSafetensors(join(folder, "checkpoint.safetensors"), parameters);
await writeTorch(
  join(folder, "checkpoint_2.pt"),
  trainingCheckpoint({
    ...{ epoch: 2, parameters, ...moments, steps: 7, learningRate: { initial: 1e-4, now: 2e-5 } },
    ...{ betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.1 },
  }),
);

const stream = randomStream(0, "numbers for torch");
const numbers = Float32Array.from({ length: 10_000 }, (_, i) => stream.normal(i));
const of = (tensor: WrittenTensor) => ({ tensor });
await writeTorch(
  join(folder, "types.pt"),
  new Map([
    ["float32", of({ shape: [100, 100], data: numbers })],
    ["float16", of({ dtype: "float16", shape: [100, 100], data: numbers })],
    ["bfloat16", of({ dtype: "bfloat16", shape: [100, 100], data: numbers })],
    ["int64", of({ dtype: "int64", shape: [3], data: BigInt64Array.of(-1n, 0n, 2n ** 40n) })],
    ["scalar", of({ shape: [], data: Float32Array.of(7) })],
    ["empty", of({ shape: [0, 3], data: new Float32Array(0) })],
  ]),
);
if (option === "--large") {
  const data = new Float32Array(2 ** 26).fill(0.5);
  const parts = Array.from(
    { length: 17 },
    (_, i) => [`part.${i}`, of({ shape: [data.length], data })] as const,
  );
  const last = ["last", of({ shape: [2], data: Float32Array.of(1, 2) })] as const;
  await writeTorch(join(folder, "large.pt"), new Map([...parts, last]));
}
const logs = await openLogs(folder, 0);
for (let step = 1; step <= 100; step++) {
  await logs.log(step, {
    loss: 1 / step,
    ...(step % 50 === 0 && { "caption/cat.jpg": `a cat, ${step} → ä` }),
  });
}
await logs.close();
await writeFile(join(folder, "golden.txt"), file);
