/**
 * What do 16 samples of one prompt cost beside 16 beams? The bundled tiny model and a photo; 20 new tokens at most, as
 * `caption` asks for them. Alternating rounds.
 *
 *     npx tsx bench/samples.ts [answers]
 */
import { fileURLToPath } from "node:url";
import { load } from "../src/index.js";
import { median, report, reportMachine } from "./measure.js";

const answers = Number(process.argv[2] ?? 16);
const rounds = 15;
const photo = fileURLToPath(new URL("../assets/photos/rocket.jpg", import.meta.url));
const flamingo = await load(undefined, { onNotice: () => {} });

async function milliseconds(options: Parameters<typeof flamingo.caption>[1]): Promise<number> {
  const start = performance.now();
  await flamingo.caption(photo, options);
  return performance.now() - start;
}

const times: Record<"one sample" | "samples" | "beams", number[]> = {
  "one sample": [],
  samples: [],
  beams: [],
};
for (let round = -1; round < rounds; round++) {
  const one = await milliseconds({ temperature: 1, seed: round + 1 });
  const samples = await milliseconds({ temperature: 1, seed: round + 1, returnSequences: answers });
  const beams = await milliseconds({ beams: answers, returnSequences: answers });
  if (round < 0) continue; // a warm-up
  times["one sample"].push(one);
  times.samples.push(samples);
  times.beams.push(beams);
}
await flamingo.close();

reportMachine();
console.log(`${answers} answers at once, image and prompt included`);
for (const [name, each] of Object.entries(times)) report(name, each, "ms", 0);
console.log(`samples / beams: ${(median(times.samples) / median(times.beams)).toFixed(2)}`);
