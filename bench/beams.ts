/**
 * What do 3 beams cost beside greedy, for the same number of new tokens? A language model of 32 blocks, width 512 (4
 * heads of 128, as wide as the 9B's), with gated cross-attention before every fourth block and random weights; a prompt
 * of 64 tokens with one image, 64 new ones or as many as asked for. Nothing ends a sequence, so that both write all of them.
 *
 *     npx tsx bench/beams.ts [threads] [width] [tokens]
 */
import { beamSearch } from "../src/generate/beams.js";
import { greedy } from "../src/generate/greedy.js";
import { blocks32, idle, imageToken, openRandomLanguage, promptOf, runnerOn } from "./languageModel.js";
import { median, report, reportMachine } from "./measure.js";

const [threads, width] = [Number(process.argv[2] ?? 2), Number(process.argv[3] ?? 512)];
const newTokens = Number(process.argv[4] ?? 64);
const rounds = 7;
const config = blocks32(width, width / 128);
const prompt = promptOf(config, 64);
await using model = await openRandomLanguage(config, threads);
const limits = { maxNewTokens: newTokens, endTokens: [], banned: [imageToken] };

/** Milliseconds: of the whole answer, and of one of its tokens once the prompt is read. */
interface Times {
  readonly whole: number;
  readonly token: number;
}

type Way = (on: ReturnType<typeof runnerOn>) => Promise<Times>;

const byGreedy: Way = async (runner) => {
  const start = performance.now();
  const decoder = await runner.decoder([prompt], { capacity: newTokens });
  let read = 0;
  for await (const _ of greedy(decoder, limits)) read ||= performance.now();
  decoder.close();
  return timesOf(start, read);
};

const byBeams: Way = async (runner) => {
  const start = performance.now();
  let read = 0;
  const watched: Pick<typeof runner, "tokenTree"> = {
    async tokenTree(...args) {
      const tree = await runner.tokenTree(...args);
      const prefill: typeof tree.prefill = async (options) => {
        const logits = await tree.prefill(options);
        read = performance.now();
        return logits;
      };
      return { ...tree, prefill };
    },
  };
  const [best] = await beamSearch(watched, prompt, { ...limits, beams: 3 });
  if (best!.ids.length !== newTokens) throw new Error(`${best!.ids.length} new tokens, not ${newTokens}`);
  return timesOf(start, read);
};

function timesOf(start: number, read: number): Times {
  const end = performance.now();
  return { whole: end - start, token: (end - read) / (newTokens - 1) };
}

/** Times of each way, side by side: every round has both, and which comes first alternates. */
async function sideBySide(runner: ReturnType<typeof runnerOn>): Promise<{ greedy: Times; beams: Times }[]> {
  const pairs: { greedy: Times; beams: Times }[] = [];
  for (let round = -1; round < rounds; round++) {
    const beamsFirst = round % 2 === 0 ? await byBeams(runner) : undefined;
    const one = await byGreedy(runner);
    const pair = { greedy: one, beams: beamsFirst ?? (await byBeams(runner)) };
    if (round >= 0) pairs.push(pair); // the first round is a warm-up
  }
  return pairs;
}

reportMachine(model.runtime);
console.log(`width ${width}, ${model.megabytes} MB of float32 weights, ${threads} threads`);
const pairs = await sideBySide(runnerOn(model.runtime, model.sessionOf, config));
for (const [name, way] of [
  ["greedy", "greedy"],
  ["3 beams", "beams"],
] as const) {
  const whole = pairs.map((pair) => pair[way].whole);
  report(`${name}, prompt and ${newTokens} tokens`, whole, "ms", 0);
  const each = pairs.map((pair) => pair[way].token);
  report(`${name}, a step once the prompt is read`, each, "ms", 2);
  console.log(`  ${(1000 / median(each)).toFixed(1)} tokens of an answer a second`);
}
const ratio = (of: keyof Times) => pairs.map(({ greedy, beams }) => beams[of] / greedy[of]);
report("3 beams / greedy, prompt and tokens", ratio("whole"), "times", 2);
report("3 beams / greedy, a step", ratio("token"), "times", 2);

const ours = await sideBySide(runnerOn(model.runtime, () => Promise.resolve(idle(model.session)), config));
for (const way of ["greedy", "beams"] as const) {
  const each = ours.map((pair) => pair[way].token);
  report(`our own code above the runtime, a step, ${way}`, each, "ms", 2);
}
