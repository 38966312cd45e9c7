/**
 * What does the cache give, and what does our own code cost a token? A language model of 32 blocks, width 256, with
 * gated cross-attention before every fourth block and random weights; a prompt of 64 tokens, 64 new ones.
 *
 *     npx tsx bench/decode.ts [threads]
 */

import { greedy } from "../src/generate/greedy.js";
import { add, createGraph, input, output } from "../src/graph/index.js";
import { compile } from "../src/onnx/compile.js";
import type { BoundTensor, Session } from "../src/runtime/runtime.js";
import { blocks32, idle, imageToken, openRandomLanguage, promptOf, runnerOn } from "./languageModel.js";
import { median, report, reportMachine, timed } from "./measure.js";

const threads = Number(process.argv[2] ?? 2);
const newTokens = 64;
const config = blocks32(256, 8);
const prompt = promptOf(config, 64);

await using model = await openRandomLanguage(config, threads);
const { compiled, runtime, session } = model;
reportMachine(runtime);

/** Generates `newTokens` tokens; returns milliseconds of each after the first. */
async function generate(by: Session): Promise<number[]> {
  const decoder = await runnerOn(runtime, () => Promise.resolve(by), config).decoder([prompt], {
    capacity: newTokens,
  });
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

await generate(session);
const cached = await generate(session);
report(`with the cache, ms a token (${threads} threads)`, cached, "ms", 2);
console.log(`  ${(1000 / median(cached)).toFixed(0)} tokens a second`);

// Without: the whole text so far is read again for every token.
const whole = await timed(async () => {
  const text = { ...prompt, ids: [...prompt.ids, ...prompt.ids.slice(0, newTokens / 2)] };
  const decoder = await runnerOn(runtime, () => Promise.resolve(session), config).decoder([text], {
    capacity: 1,
  });
  await decoder.prefill();
  decoder.close();
}, 9);
report("without the cache, at the middle of the answer, ms a token", whole, "ms", 2);
console.log(`  ${(1000 / median(whole)).toFixed(0)} tokens a second`);

// Our own code above the runtime: the same loop over a session that answers at once.
const ours = await generate(idle(session));
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
