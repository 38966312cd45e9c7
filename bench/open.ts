/**
 * How long does a model take to open, prepared or from its checkpoints, an image, a prompt and a token, and how much
 * memory is it?
 *
 *     npx tsx bench/syntheticModel.ts 9B-vitl-mpt7b FOLDER && npx openflamingo prepare FOLDER
 *     npx tsx bench/open.ts FOLDER-int4 [--prompt 400] [--cache int8] [--threads 2]
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "../src/index.js";
import { reportMachine } from "./measure.js";

const { values: given, positionals } = parseArgs({
  options: {
    prompt: { type: "string", default: "400" },
    cache: { type: "string", default: "fp32" },
    threads: { type: "string" },
  },
  allowPositionals: true,
});
const [folder] = positionals;
if (!folder) throw new Error("usage: open.ts FOLDER [--prompt 400] [--cache int8] [--threads 2]");
const words = Number(given.prompt);
const options = {
  cache: given.cache as "fp32" | "fp16" | "int8",
  ...(given.threads && { threads: Number(given.threads) }),
};
const photo = fileURLToPath(new URL("../assets/photos/chelsea.png", import.meta.url));
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;

async function timed<T>(what: string, work: () => Promise<T>): Promise<{ seconds: number; value: T }> {
  const start = performance.now();
  const value = await work();
  const seconds = (performance.now() - start) / 1000;
  console.log(`${what}: ${seconds.toFixed(2)} s, ${gigabytes(process.memoryUsage.rss())} resident`);
  return { seconds, value };
}

reportMachine();
const prepared = statSync(join(folder, "weights.bin"), { throwIfNoEntry: false });
if (prepared) console.log(`${gigabytes(prepared.size)} of weights`);
const { value: flamingo } = await timed("opened", () => load(folder, { onNotice: () => {}, ...options }));
try {
  const caption = (tokens: number, prompt?: string) => () =>
    flamingo.caption(photo, { maxNewTokens: tokens, minNewTokens: tokens, ...(prompt && { prompt }) });
  await timed("the first caption, of one token", caption(1));
  const short = await timed("an image, a short prompt and one token", caption(1));
  const many = await timed("and 65 tokens", caption(65));
  const token = (all: number, first: number, count: number) =>
    `${((1000 * (all - first)) / count).toFixed(1)} ms`;
  console.log(`a token: ${token(many.seconds, short.seconds, 64)}`);
  const prompt = " cat".repeat(words);
  const long = await timed(`with ${words} more tokens of prompt`, caption(1, prompt));
  console.log(`a prompt's token: ${token(long.seconds, short.seconds, words)}`);
  const last = await timed("and 17 tokens", caption(17, prompt));
  console.log(`a token behind it: ${token(last.seconds, long.seconds, 16)}`);
  const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  if (peak) console.log(`at most ${gigabytes(1024 * Number(peak))}`);
} finally {
  await flamingo.close();
}
