/** Small runs of a trainer: shards of a few images, a few steps of the bundled model, and what is left of them. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packData } from "../../src/api/packData.node.js";
import type { JsonObject } from "../../src/base/json.js";
import { readTrainingOptions } from "../../src/train/options/readOptions.js";
import type { StepReport } from "../../src/train/steps.js";
import { createTrainer, type TrainerOptions } from "../../src/train/trainer.node.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { imageFile, noisyImage } from "../pack/shards.js";

/** A folder of so many images and a list of their captions. */
export async function ownImages(count: number): Promise<{ images: string; captions: string }> {
  const folder = temporaryFolder();
  const images = join(folder, "images");
  mkdirSync(images);
  for (let i = 0; i < count; i++) writeFileSync(join(images, `${i}.png`), await imageFile(i));
  const captions = join(folder, "captions.csv");
  const lines = Array.from({ length: count }, (_, i) => `${i}.png,caption ${i} of them\n`);
  writeFileSync(captions, `image,caption\n${lines.join("")}`);
  return { images, captions };
}

/** Shards of `perShard` captioned images each, as a folder. */
export async function captionShards(shards: number, perShard: number): Promise<string> {
  const { images, captions } = await ownImages(shards * perShard);
  const output = join(temporaryFolder(), "laion");
  await packData({ kind: "captions", lists: [captions], images, output, samplesPerShard: perShard, seed: 1 });
  return output;
}

/** A shard of documents with two images each, as a folder. */
export async function documentShards(count: number): Promise<string> {
  const folder = temporaryFolder();
  const images = join(folder, "images");
  mkdirSync(images);
  for (let i = 0; i < 2; i++) writeFileSync(join(images, `${i}.png`), await noisyImage(i));
  const content = (i: number) => [{ image: "0.png" }, `Text ${i}.`, { image: "1.png" }, `The end of ${i}.`];
  const list = join(folder, "documents.jsonl");
  writeFileSync(
    list,
    Array.from({ length: count }, (_, i) => `${JSON.stringify({ content: content(i) })}\n`).join(""),
  );
  const output = join(folder, "mmc4");
  await packData({ kind: "documents", lists: [list], images, output, seed: 1 });
  return output;
}

/** Options of a run of a few quick steps, all of which change something. */
export const quick = {
  batchSizeLaion: 2,
  trainNumSamplesLaion: 8,
  batchSizeMmc4: 2,
  trainNumSamplesMmc4: 8,
  shuffleSamples: 5,
  warmupSteps: 0,
  learningRate: 1e-3,
  workers: 0,
  threads: 1,
} as const;

/** All reports of a run, or of its first steps: then it is left by its reader. */
export async function train(
  options: JsonObject,
  {
    steps = Number.POSITIVE_INFINITY,
    onStep,
    ...how
  }: TrainerOptions & { readonly steps?: number; readonly onStep?: (report: StepReport) => void } = {},
): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  const given = readTrainingOptions({ ...quick, ...options });
  await using trainer = await createTrainer(given, { onNotice: () => {}, ...how });
  for await (const report of trainer.steps()) {
    reports.push(report);
    onStep?.(report);
    if (reports.length === steps) break;
  }
  return reports;
}

/** What two runs must have the same, bit for bit. */
export const lossesOf = (reports: readonly StepReport[]) =>
  reports.map(({ step, loss, gradientNorm, learningRate, samples, tokens }) => ({
    ...{ step, loss, gradientNorm, learningRate, samples, tokens },
  }));

/** The lines of a run's log. */
export const logOf = (run: string): readonly Readonly<Record<string, number | string>>[] =>
  readFileSync(join(run, "log.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number | string>);

/** The log without what the clock says. */
export const valuesOf = (run: string) =>
  logOf(run).map((line) =>
    Object.fromEntries(Object.entries(line).filter(([name]) => !/_time|_per_second|^data_time/.test(name))),
  );

const checkpointOf = (run: string, step: number) =>
  join(run, "checkpoints", `step-${String(step).padStart(8, "0")}`);

/** Digests of all that a checkpoint has of model, optimizer and place in the data. */
export const stateOf = (run: string, step: number): readonly string[] =>
  ["model.safetensors", "optimizer.safetensors", "state.json"].map((name) =>
    createHash("sha256")
      .update(readFileSync(join(checkpointOf(run, step), name)))
      .digest("hex"),
  );

/** A tensor of a checkpoint's model. */
export function tensorOf(run: string, step: number, name: string): Float32Array | undefined {
  const file = readFileSync(join(checkpointOf(run, step), "model.safetensors"));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<string, { data_offsets: number[] }>;
  const found = header[name];
  if (!found) return undefined;
  const [from, to] = found.data_offsets as [number, number];
  return new Float32Array(Uint8Array.from(file.subarray(start + from, start + to)).buffer);
}
