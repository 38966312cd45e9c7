/**
 * How fast and how near to float32 is the vision encoder in 8 bits, in blocks and in whole rows? ViT-L/14 at full size
 * with made-up weights, turn by turn; then the same with two channels of every norm 20 times as large.
 *
 *     npx tsx bench/vitFormats.ts [threads] [runs]
 */
import { vitL14 } from "../src/models/zoo.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import {
  formattedVit,
  leastCosine,
  noisyImage,
  type VitFormat,
  vitFormats,
  vitWeights,
} from "../test/models/formattedVit.js";
import { median, report, reportMachine } from "./measure.js";

const [threads = 2, runs = 9] = process.argv.slice(2).map(Number);
const formats = Object.keys(vitFormats) as VitFormat[];
const feeds = { pixels: noisyImage(vitL14) };
await using runtime = await openOrtFfi();
reportMachine(runtime);

for (const outliers of [undefined, { channels: 2, times: 20 }]) {
  console.log(
    `random weights${outliers ? ", two channels of every norm 20 times as large" : ""}, ${threads} threads`,
  );
  const weightOf = vitWeights(outliers);
  const measured = [];
  for (const format of formats) {
    const session = await formattedVit(runtime, vitL14, format, weightOf, threads);
    measured.push({
      format,
      session,
      ms: [] as number[],
      processor: [] as number[],
      tokens: new Float32Array(),
    });
  }
  for (let i = -1; i < runs; i++) {
    for (const each of measured) {
      const cpu = process.cpuUsage();
      const start = performance.now();
      each.tokens = (await each.session.run(feeds)).tokens!.data as Float32Array<ArrayBuffer>;
      const ms = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      if (i < 0) continue; // a warm-up
      each.ms.push(ms);
      each.processor.push((user + system) / 1000);
    }
  }
  const [exact] = measured as [(typeof measured)[number]];
  for (const { format, session, ms, processor, tokens } of measured) {
    report(`  ${format}`, ms, "ms", 0);
    const speed = median(exact.ms) / median(ms);
    const ofProcessor = median(exact.processor) / median(processor);
    const cosine = leastCosine(tokens, exact.tokens, vitL14.hiddenSize).toFixed(5);
    console.log(
      `    ${speed.toFixed(2)} times as fast; processor time ${median(processor).toFixed(0)} ms, ${ofProcessor.toFixed(2)} times less; least cosine ${cosine}`,
    );
    await session.close();
  }
}
