/**
 * What does a token cost more where the decode program is in several stages? A model of 32 blocks with random weights
 * in float32, the stages over the same weights, turn by turn: milliseconds a token, and of processor time.
 *
 *     npx tsx bench/stages.ts [HIDDEN_SIZE] [THREADS]
 */
import { compile } from "../src/onnx/compile.js";
import { createDecoder } from "../src/runner/decoder.js";
import { decodeStages } from "../src/runner/graphs.js";
import { inSequence } from "../src/runner/inSequence.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { blocks32, imageToken, promptOf } from "./languageModel.js";
import { report, reportMachine } from "./measure.js";
import { withRandomWeights } from "./randomModel.js";

const [hiddenSize, threads] = [Number(process.argv[2] ?? 512), Number(process.argv[3] ?? 2)];
const config = blocks32(hiddenSize, hiddenSize / 64);
const [tokens, prompt] = [200, promptOf(config, 32)];

await using runtime = await openOrtFfi();
reportMachine(runtime);
const { weights } = withRandomWeights(compile(decodeStages(config, 1)[0]!));
const ways = await Promise.all(
  [1, 2, 4].map(async (count) => {
    const stages = decodeStages(config, count).map(async (graph) => {
      const compiled = compile(graph);
      const session = await runtime.load(
        compiled.with((name) => weights.get(name)!),
        { threads },
      );
      return { program: compiled.program, session };
    });
    const session = inSequence(await Promise.all(stages));
    const decoder = await createDecoder({
      ...{ runtime, config, imageToken, prompts: [prompt], capacity: tokens },
      sessionOf: async () => session,
      zeroImage: async () => prompt.images[0]!,
    });
    await decoder.prefill();
    return { count, decoder, times: [] as number[], processor: [] as number[] };
  }),
);
for (let token = 0; token < tokens; token++) {
  for (const { decoder, times, processor } of ways) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    await decoder.step([token]);
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    processor.push((user + system) / 1000);
  }
}
for (const { count, decoder, times, processor } of ways) {
  report(`${count} stages: a token`, times, "ms", 2);
  report(`${count} stages: its processor time`, processor, "ms", 2);
  decoder.close();
}
