/**
 * What does it save to rank 1,000 class names at once instead of each alone? The language model of `bench/beams.ts`; a
 * prompt of 3 tokens with one image, `<image>Output:`, as in classification without shots, which is where it saves
 * least. The names are made up: 1 to 5 words of GPT-NeoX-20B's vocabulary, 2.9 tokens a name (ImageNet's have 3.1),
 * always the same ones. All of them are scored alone too, nothing is scaled up, and both ways must give the same
 * scores. About 2 minutes.
 *
 *     npx tsx bench/rank.ts [threads] [width]
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { randomStream } from "../src/base/random.js";
import { rank } from "../src/generate/rank.js";
import { createTokenizer } from "../src/text/tokenizer.js";
import { blocks32, idle, openRandomLanguage, promptOf, runnerOn } from "./languageModel.js";
import { report, reportMachine } from "./measure.js";

const [threads, width] = [Number(process.argv[2] ?? 2), Number(process.argv[3] ?? 512)];
const count = 1000;
const upTo = [0.3, 0.78, 0.94, 0.98, 1]; // shares of names of at most 1, 2, … words

const file = fileURLToPath(new URL("../test/goldens/tokenizer/neox20b.tokenizer.json.gz", import.meta.url));
const json = JSON.parse(gunzipSync(readFileSync(file)).toString());
const tokenizer = createTokenizer(json);
const names = classNames(Object.keys(json.model.vocab));
const answers = names.map((name) => tokenizer.encode(name, { specialTokens: false }));

/** Different names of words that are one token after a blank. */
function classNames(vocabulary: readonly string[]): readonly string[] {
  const known = vocabulary.flatMap((token) => /^Ġ([a-z]{4,})$/.exec(token)?.[1] ?? []);
  const { uniform } = randomStream(0, "class names");
  const found = new Set<string>();
  for (let step = 0; found.size < count; step++) {
    const length = 1 + upTo.findIndex((share) => uniform(step, 0) < share);
    const name = Array.from({ length }, (_, i) => known[Math.floor(uniform(step, i + 1) * known.length)]);
    found.add(name.join(" "));
  }
  return [...found];
}

const config = blocks32(width, width / 128);
const prompt = promptOf(config, 3);
await using model = await openRandomLanguage(config, threads);
const runner = runnerOn(model.runtime, model.sessionOf, config);

/** Counts what the model reads. */
const read = { runs: 0, tokens: 0 };
const watched: Pick<typeof runner, "tokenTree"> = {
  async tokenTree(asked, capacity) {
    const tree = await runner.tokenTree(asked, capacity);
    return {
      ...tree,
      prefill(options) {
        read.runs++;
        read.tokens += asked.ids.length;
        return tree.prefill(options);
      },
      add(children, options) {
        read.runs++;
        read.tokens += children.length;
        return tree.add(children, options);
      },
    };
  },
};

reportMachine(model.runtime);
console.log(`width ${width}, ${model.megabytes} MB of float32 weights, ${threads} threads`);
const inAll = answers.reduce((sum, { length }) => sum + length, 0);
console.log(`${count} names such as ${names.slice(0, 5).join(", ")}: ${inAll} tokens`);

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const scores = await rank(watched, prompt, answers);
console.log(
  `at once the model reads ${read.tokens} tokens in ${read.runs} runs, the prompt's ${prompt.ids.length} among them`,
);
const atOnce: number[] = [];
for (let run = 0; run < 3; run++) atOnce.push(await milliseconds(() => rank(runner, prompt, answers)));
report(
  "at once",
  atOnce.map((ms) => ms / 1000),
  "s",
  2,
);

[read.runs, read.tokens] = [0, 0];
const alone: number[] = [];
const oneByOne = await milliseconds(async () => {
  for (const answer of answers) alone.push(...(await rank(watched, prompt, [answer])));
});
console.log(`each alone it reads ${read.tokens} tokens in ${read.runs} runs`);
console.log(`each alone: ${(oneByOne / 1000).toFixed(2)} s (1 run, all ${count})`);

report(
  "each alone / at once",
  atOnce.map((ms) => oneByOne / ms),
  "times",
  1,
);
const differences = scores.map((score, i) => Math.abs(score - alone[i]!));
console.log(`largest difference of a score: ${Math.max(...differences).toExponential(1)}`);

const own = runnerOn(model.runtime, () => Promise.resolve(idle(model.session)), config);
const ours = await milliseconds(() => rank(own, prompt, answers));
console.log(`our own code above the runtime, at once: ${(ours / 1000).toFixed(2)} s`);
