/**
 * Do training data keep up with a step? Captioned photographs of 450 x 300 to 640 x 427 pixels in shards, decoded on
 * this thread and on others, as fast as they come and beside a step that takes its time.
 *
 *     npx tsx bench/trainingData.ts [seconds of a step]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openTrainingData } from "../src/data/trainingData.node.js";
import { createFlamingoTokenizer } from "../src/text/flamingoTokens.js";
import { tar } from "../test/data/makeTar.js";
import { reportMachine } from "./measure.js";

const assets = new URL("../assets/", import.meta.url);
const model = new URL("../test/goldens/tiny-openflamingo-9b/", import.meta.url);
const photos = ["rocket.jpg", "coffee.png", "chelsea.png", "astronaut.png"].map((name) => ({
  field: name.slice(-3),
  data: readFileSync(fileURLToPath(new URL(`photos/${name}`, assets))),
}));
const tokenizer = createFlamingoTokenizer(
  JSON.parse(readFileSync(fileURLToPath(new URL("lang/tokenizer.json", model)), "utf8")),
);
const preprocessing = { size: 224, mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] } as const;
const [batch, batches] = [16, 20];

const folder = mkdtempSync(join(tmpdir(), "openflamingo-data-"));
try {
  for (const shard of [0, 1]) {
    const files = Array.from({ length: 100 }, (_, i) => {
      const { field, data } = photos[i % photos.length]!;
      return [
        { name: `${shard}-${i}.${field}`, data },
        { name: `${shard}-${i}.txt`, data: `a photograph, number ${i}` },
      ];
    });
    writeFileSync(join(folder, `${shard}.tar`), tar(files.flat()));
  }
  reportMachine();
  const step = Number(process.argv[2] ?? 0.5);
  for (const decodeThreads of [0, 1, 2]) {
    for (const seconds of [0, step]) {
      const data = await openTrainingData(
        { shards: folder, kind: "captions", batch, shuffle: 100, shuffleInitial: 20, decodeThreads },
        { tokenizer, preprocessing },
      );
      let count = 0;
      let start = performance.now();
      let before = performance.eventLoopUtilization();
      for await (const _ of data.batches) {
        if (count === 0) {
          start = performance.now();
          before = performance.eventLoopUtilization();
        }
        if (count++ === batches) break;
        await wait(1000 * seconds);
      }
      const used = performance.eventLoopUtilization(before);
      const samples = batch * batches;
      const rate = (1000 * samples) / (performance.now() - start);
      const { share } = data.waiting();
      console.log(
        `${decodeThreads} threads, a step of ${seconds} s: ${rate.toFixed(0)} samples/s, this thread ${(used.active / samples).toFixed(1)} ms a sample, waiting ${(100 * share).toFixed(1)}%`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
