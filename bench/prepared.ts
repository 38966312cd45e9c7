/**
 * How long does a prepared model take to open, an image, a prompt and a token, and how much memory is it?
 *
 *     npx tsx bench/syntheticModel.ts 9B-vitl-mpt7b FOLDER && npx openflamingo prepare FOLDER
 *     npx tsx bench/prepared.ts FOLDER-int4 [THREADS]
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "../src/index.js";
import { reportMachine } from "./measure.js";

const [folder, threads] = process.argv.slice(2);
if (!folder) throw new Error("usage: prepared.ts FOLDER [THREADS]");
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
const { size } = statSync(join(folder, "weights.bin"));
console.log(`${gigabytes(size)} of weights`);
const { value: flamingo } = await timed("opened", () =>
  load(folder, { onNotice: () => {}, ...(threads && { threads: Number(threads) }) }),
);
try {
  const caption = (tokens: number, prompt?: string) => () =>
    flamingo.caption(photo, { maxNewTokens: tokens, minNewTokens: tokens, ...(prompt && { prompt }) });
  await timed("the first caption, of one token", caption(1));
  const short = await timed("an image, a short prompt and one token", caption(1));
  const long = await timed("with 400 more tokens of prompt", caption(1, " cat".repeat(400)));
  console.log(`a prompt's token: ${((1000 * (long.seconds - short.seconds)) / 400).toFixed(1)} ms`);
  const many = await timed("and 65 tokens", caption(65));
  const each = (many.seconds - short.seconds) / 64;
  console.log(`a token: ${(1000 * each).toFixed(0)} ms, ${(1 / each).toFixed(1)} a second`);
} finally {
  await flamingo.close();
}
