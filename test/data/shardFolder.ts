/** Shards of made-up samples in a folder, for tests of all that reads them. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { TrainingDataOptions } from "../../src/data/options.js";
import { openTrainingData, type TrainingBatch, type TrainingData } from "../../src/data/trainingData.node.js";
import { dataFile, dataTokenizer } from "./goldenData.js";
import { tar } from "./makeTar.js";
import { testPreprocessing } from "./pictures.js";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder of its own, removed after the tests. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "openflamingo-data-"));
  folders.push(folder);
  return folder;
}

const pictures = () =>
  readdirSync(dataFile("pictures"))
    .sort()
    .map((name) => ({ field: name.slice(-3), data: readFileSync(join(dataFile("pictures"), name)) }));

/** The files of so many captioned images, whose names begin with the shard's number. */
export function captionFilesOf(shard: number, count: number) {
  const all = pictures();
  return Array.from({ length: count }, (_, i) => {
    const { field, data } = all[(5 * shard + i) % all.length]!;
    const key = `${shard}-${String(i).padStart(3, "0")}`;
    return [
      { name: `${key}.${field}`, data },
      { name: `${key}.txt`, data: `caption ${i} of shard ${shard}` },
    ];
  }).flat();
}

/** A folder of shards with so many captioned images each. */
export function captionShards(counts: readonly number[]): string {
  const folder = newFolder();
  for (const [shard, count] of counts.entries()) {
    writeFileSync(
      join(folder, `shard-${String(shard).padStart(3, "0")}.tar`),
      tar(captionFilesOf(shard, count)),
    );
  }
  return folder;
}

export const openData = (
  options: Partial<TrainingDataOptions> & Pick<TrainingDataOptions, "shards">,
): Promise<TrainingData> =>
  openTrainingData(
    { kind: "captions", batch: 4, shuffle: 8, shuffleInitial: 4, decodeThreads: 0, ...options },
    { tokenizer: dataTokenizer(), preprocessing: testPreprocessing },
  );

/** The first so many batches, or all. */
export async function batchesOf(
  data: TrainingData,
  count = Number.POSITIVE_INFINITY,
): Promise<TrainingBatch[]> {
  const found: TrainingBatch[] = [];
  for await (const batch of data.batches) {
    found.push(batch);
    if (found.length === count) break;
  }
  return found;
}

export const keysOf = (batches: readonly TrainingBatch[]) =>
  batches.flatMap(({ keys }) => keys.map(({ key }) => key));

/** All of a batch, its arrays as hashes: what differs in a bit differs here. */
export function printOf(batch: TrainingBatch): string {
  return JSON.stringify(batch, (_, value: unknown) =>
    ArrayBuffer.isView(value)
      ? createHash("sha256")
          .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
          .digest("hex")
      : value,
  );
}
