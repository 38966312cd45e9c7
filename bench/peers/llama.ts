/**
 * Prompts and tokens beside llama.cpp (node-llama-cpp), turn by turn in one process: a language model of MPT-7B's shape
 * with random weights in 4 bits, Q4_0 on its side, blocks of 128 and of 32 on ours. One row of logits is asked for on
 * both sides: asked for none, llama.cpp leaves out the head and the last feed-forward. Its time has its own sampler's
 * and the reply's in it, ours the search for the greatest logit.
 *
 *     npm install --prefix LLAMA node-llama-cpp
 *     PYTHON bench/peers/mptGguf.py FILE.gguf 8          (with the packages gguf and numpy)
 *     npx tsx bench/peers/llama.ts LLAMA FILE.gguf [threads] [blocks]
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { argmax } from "../../src/generate/logits.js";
import { quantize } from "../../src/graph/index.js";
import { releasedCrossAttention } from "../../src/models/crossAttention.js";
import type { FlamingoConfig } from "../../src/models/flamingo.js";
import { mpt } from "../../src/models/mpt.js";
import { releasedPerceiver } from "../../src/models/perceiver.js";
import { vitL14 } from "../../src/models/zoo.js";
import { compile } from "../../src/onnx/compile.js";
import { createDecoder } from "../../src/runner/decoder.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { zeros } from "../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { formatsOf } from "../../src/weights/weightFormats.js";
import { median, reportMachine } from "../measure.js";

const [llamaFolder, file, threadCount = "2", blockCount = "8"] = process.argv.slice(2);
if (!llamaFolder || !file) throw new Error("usage: llama.ts LLAMA FILE.gguf [threads] [blocks]");
const [threads, layers] = [Number(threadCount), Number(blockCount)];
const vocabulary = 50_432;

/** One side of the comparison: a text that grows. */
interface Side {
  readonly name: string;
  /** Reads so many tokens, anew, and gives milliseconds until one token is chosen. */
  prompt(tokens: number): Promise<number>;
  /** Milliseconds of each of so many further tokens. */
  tokens(count: number): Promise<number[]>;
}

const idAt = (i: number): number => 256 + ((i * 97) % 50_000);
const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => idAt(i));

async function timedRun(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function theirs(): Promise<Side> {
  const entry = join(llamaFolder!, "node_modules/node-llama-cpp/dist/index.js");
  const { getLlama } = await import(pathToFileURL(entry).href);
  const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({ contextSize: 2048, batchSize: 512, threads });
  const sequence = context.getSequence();
  const read = (given: readonly number[]) =>
    sequence.controlledEvaluate([...given.slice(0, -1), [given.at(-1), { generateNext: { token: true } }]]);
  let length = 0;
  return {
    name: "llama.cpp, Q4_0",
    async prompt(tokens) {
      await sequence.clearHistory();
      length = tokens;
      return timedRun(() => read(ids(tokens)));
    },
    async tokens(count) {
      const times: number[] = [];
      for (let i = 0; i < count; i++) times.push(await timedRun(() => read([idAt(length++)])));
      return times;
    },
  };
}

async function ours(block: number): Promise<Side> {
  const config: FlamingoConfig = {
    vision: vitL14,
    perceiver: releasedPerceiver,
    crossAttention: releasedCrossAttention,
    crossAttentionEvery: layers + 1, // llama.cpp has no gated blocks
    language: mpt({
      ...{ layers, hiddenSize: 4096, heads: 32, mlpRatio: 4, vocabulary },
      ...{ contextLength: 2048, alibiMax: 8 },
    }),
  };
  const compiled = compile(quantize(decodeGraph(config), formatsOf("int4", { block })!));
  let state = 1;
  const weights = new Map(
    compiled.weights.map(({ name, dtype, shape, from, part }) => {
      const tensor = zeros(dtype, shape);
      if (part?.part === "values") {
        const words = new Uint32Array(tensor.data.buffer);
        for (let i = 0; i < words.length; i++) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          words[i] = state ^ (state >>> 15);
        }
      } else tensor.data.fill((part ? 0.15 * from.at(-1)! ** -0.5 : 1) as never);
      return [name, tensor];
    }),
  );
  const runtime = await openOrtFfi();
  const session = await runtime.load(
    compiled.with((name) => weights.get(name)!),
    { threads },
  );
  weights.clear();
  const program = { runtime, config, sessionOf: () => Promise.resolve(session), imageToken: -1 };
  const open = (tokens: number) =>
    createDecoder({
      ...program,
      ...{ capacity: 64, prompts: [{ ids: ids(tokens), images: [] }] },
      zeroImage: () => Promise.resolve({ media: [] }),
    });
  let decoder: Awaited<ReturnType<typeof open>> | undefined;
  let length = 0;
  return {
    name: `ours, blocks of ${block}`,
    async prompt(tokens) {
      decoder?.close();
      decoder = await open(tokens);
      length = tokens;
      return timedRun(async () => argmax((await decoder!.prefill())[0]!));
    },
    async tokens(count) {
      const times: number[] = [];
      for (let i = 0; i < count; i++) {
        times.push(await timedRun(async () => argmax((await decoder!.step([idAt(length++)]))[0]!)));
      }
      return times;
    },
  };
}

const sides = [await theirs(), await ours(128), await ours(32)];
reportMachine();
console.log(
  `${layers} blocks, ${threads} threads; milliseconds, medians (least), and the ratio to llama.cpp`,
);
const show = (times: readonly number[]) => `${median(times).toFixed(1)} (${Math.min(...times).toFixed(1)})`;
const ratio = (times: readonly number[], other: readonly number[]) =>
  `${(median(times) / median(other)).toFixed(2)} (${(Math.min(...times) / Math.min(...other)).toFixed(2)})`;

for (const length of [128, 512, 1500]) {
  const prompts = sides.map((): number[] => []);
  const tokens = sides.map((): number[] => []);
  const rounds = length > 512 ? 3 : 6;
  for (let round = 0; round <= rounds; round++) {
    for (const [i, side] of sides.entries()) {
      const reading = await side.prompt(length);
      const each = await side.tokens(10);
      if (round === 0) continue; // a warm-up
      prompts[i]!.push(reading);
      tokens[i]!.push(...each.slice(1));
    }
  }
  for (const [i, { name }] of sides.entries()) {
    console.log(
      `${name}: a prompt of ${length} ${show(prompts[i]!)}, ${ratio(prompts[i]!, prompts[0]!)}; ` +
        `a token after it ${show(tokens[i]!)}, ${ratio(tokens[i]!, tokens[0]!)}`,
    );
  }
}
process.exit(); // llama.cpp's threads would keep it
