/** Sampling on the 9b tiny model: the seed decides, and nothing else does. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { greedy } from "../../src/generate/greedy.js";
import type { GenerationLimits } from "../../src/generate/rows.js";
import { type SampleSettings, sample } from "../../src/generate/sample.js";
import { ids, openTinyModel, type TinyModel } from "../tinyModel.js";

let tinyModel: TinyModel;
beforeAll(async () => {
  tinyModel = await openTinyModel();
});
afterAll(() => tinyModel.close());

const limits: GenerationLimits = { maxNewTokens: 12, endTokens: [], banned: [ids.image], logProbs: true };
const prompt = [516, 48, 86, 85, 81, 86, 85, 27];

async function collect(how: "greedy" | SampleSettings, rows = 1) {
  const images = [await tinyModel.image("p0")];
  const prompts = Array.from({ length: rows }, () => ({ ids: prompt, images }));
  const decoder = await tinyModel.runner.decoder(prompts, { capacity: limits.maxNewTokens });
  const tokens = how === "greedy" ? greedy(decoder, limits) : sample(decoder, { ...limits, ...how });
  const found = prompts.map((): number[] => []);
  for await (const step of tokens) {
    for (const [row, token] of step.entries()) found[row]!.push(token!.id);
  }
  decoder.close();
  return found;
}

test("the same seed gives the same tokens, another seed others", async () => {
  const once = await collect({ seed: 1 });
  expect(await collect({ seed: 1 })).toEqual(once);
  expect(await collect({ seed: 2 })).not.toEqual(once);
});

test("rows of a batch draw for themselves, and the first draws as it would alone", async () => {
  const [first, second] = await collect({ seed: 1 }, 2);
  expect(second).not.toEqual(first);
  expect([first]).toEqual(await collect({ seed: 1 }));
});

test("the number that a token is drawn by is that of the seed's stream at its step and row", async () => {
  const V = 1000;
  const flat = async () => [new Float32Array(V), new Float32Array(V)];
  const decoder = { prompts: [prompt, prompt].map((ids) => ({ ids, images: [] })), close: () => {} };
  const steps = sample(
    { ...decoder, prefill: flat, step: flat },
    { maxNewTokens: 3, endTokens: [], seed: 9 },
  );
  const { uniform } = randomStream(9, "sample");
  let step = 0;
  for await (const tokens of steps) {
    expect(tokens.map((token) => token!.id)).toEqual([0, 1].map((row) => Math.floor(V * uniform(step, row))));
    step++;
  }
  expect(step).toBe(3);
});

test("with the most probable token alone left, sampling is greedy", async () => {
  const best = await collect("greedy");
  expect(best[0]).toHaveLength(limits.maxNewTokens);
  expect(await collect({ seed: 3, topK: 1 })).toEqual(best);
  expect(await collect({ seed: 3, temperature: 1e-3 })).toEqual(best);
});
