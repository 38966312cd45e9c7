/**
 * What does sampling cost a row and token beside the model, over 50,280 tokens? Each warper alone on made-up logits of
 * a language model's shape (most tokens improbable, many of equal logits), then probabilities and the draw.
 *
 *     npx tsx bench/sampling.ts [vocabulary]
 */
import { randomStream } from "../src/base/random.js";
import { argmax, probabilities } from "../src/generate/logits.js";
import { draw } from "../src/generate/sample.js";
import { createWarper, type Warping } from "../src/generate/warpers.js";
import { vocabulary } from "./languageModel.js";
import { report, reportMachine } from "./measure.js";

const size = Number(process.argv[2] ?? vocabulary);
const rounds = 25;
const random = randomStream(0, "logits");
/** Of a deviation of 3, in steps of 1/64, so that some are equal. */
const logits = Float32Array.from({ length: size }, (_, i) => Math.round(64 * 3 * random.normal(i)) / 64);

/** Milliseconds of each round, after one that is not counted; every round has a row of its own. */
function rowsOf(run: (row: Float32Array) => unknown): number[] {
  const times: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const row = logits.slice();
    const start = performance.now();
    run(row);
    if (round >= 0) times.push(performance.now() - start);
  }
  return times;
}

const warpers: readonly (readonly [string, Warping])[] = [
  ["temperature 0.7", { temperature: 0.7 }],
  ["top-k 50", { topK: 50 }],
  ["top-p 0.9", { topP: 0.9 }],
  ["top-p 0.1", { topP: 0.1 }],
  ["min-p 0.05", { minP: 0.05 }],
  ["all of them", { temperature: 0.7, topK: 50, topP: 0.9, minP: 0.05 }],
];

reportMachine();
console.log(`${size} tokens, ms a row`);
for (const [name, settings] of warpers) report(name, rowsOf(createWarper(settings)), "ms", 2);
report("probabilities", rowsOf(probabilities), "ms", 2);
report(
  "probabilities and the draw",
  rowsOf((row) => draw(probabilities(row), 0.5)),
  "ms",
  2,
);
report("arg-max, as greedy generation takes it", rowsOf(argmax), "ms", 2);
