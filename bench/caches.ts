/**
 * How far from float32 do caches of fewer bits lead, and what does attention over them take?
 *
 *     npx tsx bench/caches.ts
 */
import { cachedAttention, createGraph, input, output } from "../src/graph/index.js";
import { compile } from "../src/onnx/compile.js";
import { type CacheFormat, cacheFormats, cacheTypes } from "../src/runner/cacheFormats.js";
import { zeros } from "../src/runtime/hostTensor.js";
import { openOrtFfi } from "../src/runtime/ortFfi.node.js";
import { type GoldenModel, tinyModelsWith } from "../test/tinyModel.js";
import { median, reportMachine } from "./measure.js";

/** Logits of every token after the first ones of a made-up text of 128 tokens, taken one by one. */
async function logitsAfter(golden: GoldenModel, format: CacheFormat, prompt: number) {
  const { ids } = golden;
  let state = 7;
  const text = Array.from({ length: 128 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return i === 0 ? ids.image : state % ids.image;
  });
  const model = await golden.open(undefined, format);
  const prompts = [{ ids: text.slice(0, prompt), images: [await model.image("p0")] }];
  const decoder = await model.runner.decoder(prompts, { capacity: text.length - prompt });
  const found = [(await decoder.prefill())[0]!.slice()];
  for (const token of text.slice(prompt)) found.push((await decoder.step([token]))[0]!.slice());
  decoder.close();
  await model.close();
  return found;
}

/** Errors relative to the spread of the logits, and how many most probable tokens are the same. */
function compare(found: readonly Float32Array[], exact: readonly Float32Array[]): string {
  let [errors, spread, same] = [0, 0, 0];
  const top = (row: Float32Array) => row.indexOf(Math.max(...row));
  exact.forEach((row, i) => {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    row.forEach((x, j) => {
      errors += (found[i]![j]! - x) ** 2;
      spread += (x - mean) ** 2;
    });
    if (top(row) === top(found[i]!)) same++;
  });
  return `${(100 * Math.sqrt(errors / spread)).toFixed(2)} %, ${same} of ${exact.length} tokens the same`;
}

/** Attention of one block of the 9B: 32 heads 128 wide. */
async function attentionOf(format: CacheFormat) {
  const [heads, e, capacity] = [32, 128, 2048];
  const [type, cacheType] = [format === "fp16" ? "float16" : "float32", cacheTypes[format]] as const;
  const graph = createGraph(format);
  const tokens = (name: string) => input(graph, name, type, ["b", "t", heads, e]);
  const cache = (name: string) => input(graph, name, cacheType, ["b", heads, capacity, e]);
  const [y, presentKeys, presentValues] = cachedAttention(
    ...([tokens("queries"), tokens("keys"), tokens("values")] as const),
    ...([cache("pastKeys"), cache("pastValues")] as const),
    input(graph, "start", "int32", ["b"]),
    input(graph, "bias", type, ["b", heads, "t", "total"]),
    { scale: e ** -0.5 },
  );
  for (const [name, tensor] of Object.entries({ y, presentKeys, presentValues })) output(graph, name, tensor);
  const runtime = await openOrtFfi();
  const session = await runtime.load(
    compile(graph).with(() => zeros(type, [1])),
    { threads: 1 },
  );
  const past = [0, 1].map(() => runtime.bind(zeros(cacheType, [1, heads, capacity, e])));
  return {
    /** Milliseconds of processor time. */
    async run(t: number, start: number) {
      const rows = () => zeros(type, [1, t, heads, e]);
      const feeds = {
        ...{ queries: rows(), keys: rows(), values: rows(), pastKeys: past[0]!, pastValues: past[1]! },
        ...{ start: { dtype: "int32" as const, shape: [1], data: Int32Array.of(start) } },
        bias: zeros(type, [1, heads, t, start + t]),
      };
      const before = process.cpuUsage();
      await session.run(feeds, { outputs: { presentKeys: past[0]!, presentValues: past[1]! }, want: ["y"] });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    },
    close: () => runtime.close(),
  };
}

reportMachine();
for (const golden of tinyModelsWith("generation.json", "caches of fewer bits")) {
  for (const prompt of [1, 3, 30]) {
    const exact = await logitsAfter(golden, "fp32", prompt);
    for (const format of ["fp16", "int8"] as const) {
      const found = compare(await logitsAfter(golden, format, prompt), exact);
      console.log(`${golden.name}, ${format}, after a prompt of ${prompt}: ${found}`);
    }
  }
}
const blocks = await Promise.all(cacheFormats.map(attentionOf));
for (const [t, start] of [
  [1, 512],
  [1, 2000],
  [128, 0],
  [128, 512],
  [128, 1900],
] as const) {
  const times = cacheFormats.map((): number[] => []);
  for (let i = 0; i < 9; i++) {
    for (const [at, block] of blocks.entries()) times[at]!.push(await block.run(t, start));
  }
  const shown = times.map((each, at) => `${cacheFormats[at]} ${median(each).toFixed(2)}`).join(", ");
  console.log(`${t} tokens after ${start}, a block: ${shown} ms of processor time`);
}
for (const block of blocks) await block.close();
