/**
 * The reference implementation's own loop of training on PyTorch, and ours: the same model, the same batches, turn by
 * turn, in float32 with frozen towers. A step is made of pairs and of documents: forward, loss, gradients, the mask on the
 * embedding's gradient, clipping, AdamW. Seconds, seconds of the processor, and the losses of all steps, which must agree:
 * exit code 1 where they differ by more than 1e-4. Ours is timed twice: from pixels, and from features of the vision
 * encoder that were kept.
 *
 *     npx tsx bench/syntheticModel.ts 4B-vitl-rpj3b FOLDER --blocks 4 --float32
 *     npx tsx bench/peers/training.ts FOLDER --python PATH [--threads 2] [--steps 5] [--pairs 2] [--pair-tokens 32]
 *         [--documents 1] [--document-tokens 256] [--document-images 5] [--recompute]
 *
 * FOLDER is a model with a language model of type `mpt` or `gpt_neox`: those of the 1B form are in no package. The
 * environment of PATH: see `training.py`. Both models are in memory at once: 8 GB each with the folder above.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { randomStream } from "../../src/base/random.js";
import type { TrainingBatch } from "../../src/learn/batch.js";
import { openStep } from "../../src/train/openStep.node.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import { median, reportMachine } from "../measure.js";
import { missing, pythonOf, startPeer } from "./python.js";

const { values: given, positionals } = parseArgs({
  options: {
    python: { type: "string" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    pairs: { type: "string", default: "2" },
    "pair-tokens": { type: "string", default: "32" },
    documents: { type: "string", default: "1" },
    "document-tokens": { type: "string", default: "256" },
    "document-images": { type: "string", default: "5" },
    recompute: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const [folder] = positionals;
if (!folder) throw new Error("usage: training.ts FOLDER --python PATH");
const python = pythonOf(given.python);
const lacking = missing(python, ["open_flamingo", "torch"]);
if (lacking !== undefined) throw new Error(lacking);
const threads = Number(given.threads);
const temporary = mkdtempSync(join(tmpdir(), "openflamingo-peer-"));

interface Answer {
  readonly laion: number;
  readonly mmc4: number;
  /** Seconds of the clock and of the processor. */
  readonly seconds: number;
  readonly processor: number;
}

const script = fileURLToPath(new URL("training.py", import.meta.url));
using peer = startPeer(python, ["-W", "ignore", script, folder, String(threads), "train"], temporary);
const theirs = JSON.parse(await peer.line());
const { image, endOfChunk, pad, imageSize } = theirs;

const how = { onNotice: () => {} };
const options = readTrainingOptions({
  ...{ model: resolve(folder), run: temporary, laionShards: ["none"], mmc4Shards: ["none"], threads },
  ...{ gradientCheckpointing: given.recompute, lrScheduler: "constant", warmupSteps: 0 },
  memoryCheck: false, // which would be of batches of 128
});
const model = await openStep(options, how);
const { step, vision } = model;
if (vision.imageSize !== imageSize) throw new Error("not the same model");

/** Rows of `<image>`, words and `<|endofchunk|>`, as often as there are images; the last row is shorter. */
function rowsOf(count: number, tokens: number, images: number, seed: number): number[][] {
  const { uniform } = randomStream(seed, "words");
  return Array.from({ length: count }, (_, row) => {
    const length = row > 0 && row === count - 1 ? tokens - 5 : tokens;
    const part = Math.floor(length / images);
    const ids = Array.from({ length: images }, (_, i) => {
      const words = (i === images - 1 ? length - i * part : part) - 2;
      const text = Array.from({ length: words }, (_, j) => 5 + Math.floor(400 * uniform(row, 1000 * i + j)));
      return [image, ...text, endOfChunk];
    }).flat();
    return [...ids, ...Array<number>(tokens - length).fill(pad)];
  });
}

function batchOf(ids: number[][], imagesOfEach: number, pixels: Float32Array): TrainingBatch {
  const flat = Int32Array.from(ids.flat());
  return {
    ...{ ids: flat, shape: [ids.length, ids[0]!.length] },
    attentionMask: flat.map((id) => Number(id !== pad)),
    labels: flat.map((id) => (id === pad || id === image ? -100 : id)),
    ...{ imagesOfRows: ids.map(() => imagesOfEach), images: { pixels } },
  };
}

function made(kind: "pairs" | "documents", seed: number) {
  const [tokens, each] =
    kind === "pairs"
      ? [given["pair-tokens"], 1]
      : [given["document-tokens"], Number(given["document-images"])];
  const ids = rowsOf(Number(given[kind]), Number(tokens), each, seed);
  const { normal } = randomStream(seed, `pixels of ${kind}`);
  const pixels = Float32Array.from({ length: ids.length * each * 3 * imageSize ** 2 }, (_, i) => normal(i));
  const file = join(temporary, `${kind}.f32`);
  writeFileSync(file, pixels);
  return { asked: { ids, images: file, count: each }, batch: batchOf(ids, each, pixels) };
}

type Batches = Parameters<typeof step.run>[0];

async function ours(batches: Batches): Promise<Answer & { readonly optimizer: number }> {
  const used = process.cpuUsage();
  const start = performance.now();
  const { losses, seconds } = await step.run(batches);
  const clock = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(used);
  const { laion, mmc4 } = losses[0]!;
  return {
    ...{ laion: laion!, mmc4: mmc4!, seconds: clock, processor: (user + system) / 1e6 },
    optimizer: seconds.optimizer / clock,
  };
}

const all = { original: [] as Answer[], pixels: [] as Answer[], kept: [] as Answer[] };
const optimizer: number[] = [];
const optimizerKept: number[] = [];
let largest = 0;
const arrays = ["parameters", "firstMoments", "secondMoments"] as const;
const before = arrays.map((name) => new Float32Array(step.state[name].length));
reportMachine();
console.log(
  `${folder}: ${(step.state.parameters.length / 1e6).toFixed(1)} M trained numbers; a step of ${given.pairs} pairs of ` +
    `${given["pair-tokens"]} tokens and ${given.documents} documents of ${given["document-tokens"]} with ` +
    `${given["document-images"]} images; ${threads} threads; PyTorch ${theirs.torch}`,
);
for (let i = 0; i < Number(given.steps); i++) {
  const [pairs, documents] = [made("pairs", i), made("documents", i)];
  const line = JSON.stringify({ pairs: pairs.asked, documents: documents.asked });
  const original: Answer = JSON.parse(await peer.line(line));
  // The same step twice: from pixels, and from what was made of them.
  for (const [j, name] of arrays.entries()) before[j]!.set(step.state[name]);
  const fromPixels = await ours({ laion: pairs.batch, mmc4: documents.batch });
  for (const [j, name] of arrays.entries()) step.state[name].set(before[j]!);
  step.state.step--;
  const keep = async ({ batch }: typeof pairs): Promise<TrainingBatch> => ({
    ...batch,
    images: { tokens: await step.encodeImages(batch.images.pixels!) },
  });
  const batches = { laion: await keep(pairs), mmc4: await keep(documents) };
  const kept = await ours(batches);
  for (const answer of [fromPixels, kept]) {
    for (const kind of ["laion", "mmc4"] as const) {
      largest = Math.max(largest, Math.abs(answer[kind] / original[kind] - 1));
    }
  }
  console.log(
    `step ${i}: losses ${[original, fromPixels, kept].map(({ laion, mmc4 }) => `${laion.toFixed(6)} ${mmc4.toFixed(6)}`).join("; ")}` +
      ` (original; ours from pixels; ours from kept features), load ${loadavg()[0]!.toFixed(1)}`,
  );
  if (i === 0) continue; // both sides make themselves ready in it
  all.original.push(original);
  all.pixels.push(fromPixels);
  all.kept.push(kept);
  optimizer.push(fromPixels.optimizer);
  optimizerKept.push(kept.optimizer);
}
await model.close();
rmSync(temporary, { recursive: true });

const middle = (answers: readonly Answer[], of: "seconds" | "processor") => median(answers.map((a) => a[of]));
for (const [name, answers] of Object.entries(all)) {
  const [clock, processor] = [middle(answers, "seconds"), middle(answers, "processor")];
  const times = (of: "seconds" | "processor") =>
    median(answers.map((answer, i) => all.original[i]![of] / answer[of])).toFixed(2);
  console.log(
    `${name}: ${clock.toFixed(2)} s a step, ${processor.toFixed(2)} s of the processor; samples a second of the ` +
      `processor ${times("processor")} times the original's, of the clock ${times("seconds")} times`,
  );
}
const share = (values: readonly number[]) => `${(100 * median(values)).toFixed(1)}%`;
console.log(
  `the optimizer takes ${share(optimizer)} of a step from pixels, ${share(optimizerKept)} of one from kept features`,
);
console.log(`losses differ by ${largest.toExponential(1)} at most, relative`);
if (!(largest <= 1e-4)) process.exitCode = 1;
