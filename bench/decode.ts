/**
 * What does the cache give, and what does our own code cost a token? A language model of 32 blocks, width 256, with
 * gated cross-attention before every fourth block and random weights; a prompt of 64 tokens, 64 new ones.
 *
 *     npx tsx bench/decode.ts [threads]
 */

import { createDecoder } from "../src/engine/decoder.js";
import { decodeGraph } from "../src/engine/graphs.js";
import { greedy } from "../src/generate/greedy.js";
import { add, createGraph, input, output } from "../src/graph/index.js";
import { releasedCrossAttention } from "../src/models/crossAttention.js";
import { type FlamingoConfig, gatedBlocks } from "../src/models/flamingo.js";
import { mpt } from "../src/models/mpt.js";
import { releasedPerceiver } from "../src/models/perceiver.js";
import { vitL14 } from "../src/models/zoo.js";
import { compile } from "../src/onnx/compile.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import type { BoundTensor, Runtime, Session } from "../src/runtime/runtime.js";
import { median, report, reportMachine, timed } from "./measure.js";
import { withRandomWeights } from "./randomModel.js";

const threads = Number(process.argv[2] ?? 2);
const vocabulary = 50280;
const imageToken = 50278;
const promptLength = 64;
const newTokens = 64;
const config: FlamingoConfig = {
  vision: vitL14,
  perceiver: releasedPerceiver,
  crossAttention: releasedCrossAttention,
  crossAttentionEvery: 4,
  language: mpt({ layers: 32, width: 256, heads: 8, expansion: 4, vocabulary, positions: 2048, alibiMax: 8 }),
};
const ids = [imageToken, ...Array.from({ length: promptLength - 1 }, (_, i) => (i * 97) % 50000)];
const picture = {
  media: gatedBlocks(config).map(() => ({
    keys: new Float32Array(8 * 64 * 64).fill(0.1),
    values: new Float32Array(8 * 64 * 64).fill(0.1),
  })),
};
const prompt = { ids, pictures: [picture] };
const zeroPicture = async () => picture;

reportMachine();
const compiled = compile(decodeGraph(config));
await using runtime = await openOrtFfi();
const session = await runtime.load(withRandomWeights(compiled), { threads });

/** Generates `newTokens` tokens; returns milliseconds of each after the first. */
async function generate(on: Runtime, by: Session): Promise<number[]> {
  const decoder = await createDecoder(on, by, config, imageToken, [prompt], { room: newTokens, zeroPicture });
  const times: number[] = [];
  let last = performance.now();
  for await (const _ of greedy(decoder, { maxNewTokens: newTokens, endTokens: [], banned: [imageToken] })) {
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  decoder.close();
  return times.slice(1);
}

await generate(runtime, session);
const cached = (await Promise.all([generate(runtime, session)])).flat();
report(`with the cache, ms a token (${threads} threads)`, cached, "ms", 2);
console.log(`  ${(1000 / median(cached)).toFixed(0)} tokens a second`);

// Without: the whole text so far is read again for every token.
const whole = await timed(async () => {
  const text = { ids: [...ids, ...ids.slice(0, newTokens / 2)], pictures: [picture] };
  const decoder = await createDecoder(runtime, session, config, imageToken, [text], { room: 1, zeroPicture });
  await decoder.prefill();
  decoder.close();
}, 9);
report("without the cache, at the middle of the answer, ms a token", whole, "ms", 2);
console.log(`  ${(1000 / median(whole)).toFixed(0)} tokens a second`);

// Our own code above the runtime: the same loop over a session that answers at once.
const idle: Session = { ...session, program: session.program, run: async () => ({}), close: async () => {} };
const ours = (await Promise.all([generate(runtime, idle)])).flat();
report("our own code above the runtime, ms a token", ours, "ms", 3);

// The runtime's share: a call with as many tensors, bound, whose own work is next to nothing.
const graph = createGraph("many");
const feeds: Record<string, BoundTensor> = {};
const outputs: Record<string, BoundTensor> = {};
for (let i = 0; i < compiled.program.inputs.length; i++) {
  const x = input(graph, `x${i}`, "float32", [1]);
  const tensor = () => runtime.bind({ dtype: "float32", shape: [1], data: new Float32Array(1) });
  feeds[`x${i}`] = tensor();
  if (i >= compiled.program.outputs.length) continue;
  output(graph, `y${i}`, add(x, 1));
  outputs[`y${i}`] = tensor();
}
const many = await runtime.load({ ...compile(graph).program, weights: new Map() }, { threads: 1 });
const calls = await timed(() => many.run(feeds, { outputs, want: [] }), 500);
report(
  `a call with ${Object.keys(feeds).length} inputs and ${Object.keys(outputs).length} outputs, ms`,
  calls,
  "ms",
  3,
);
