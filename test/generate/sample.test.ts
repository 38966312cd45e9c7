/** Sampling on the 9b tiny model: the seed decides, and nothing else does. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { greedy } from "../../src/generate/greedy.js";
import type { GenerationLimits } from "../../src/generate/rows.js";
import { type SampleSettings, sample } from "../../src/generate/sample.js";
import { type TinyModel, tinyModel9bWith } from "../tinyModel.js";

interface ForwardCase {
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
}

describe.each(tinyModel9bWith("inputs.safetensors", "sampling with a seed"))("$name", (golden) => {
  let tinyModel: TinyModel;
  beforeAll(async () => {
    tinyModel = await golden.open();
  });
  afterAll(() => tinyModel.close());

  const [given] = golden.goldenJson<{ cases: ForwardCase[] }>("forward.json").cases;
  const limits: GenerationLimits = {
    maxNewTokens: 12,
    endTokens: [],
    banned: [golden.ids.image],
    logProbs: true,
  };

  async function collect(how: "greedy" | SampleSettings, rows = 1) {
    const images = await Promise.all(given!.pictures[0]!.map((name) => tinyModel.image(name)));
    const prompts = Array.from({ length: rows }, () => ({ ids: given!.input_ids[0]!, images }));
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

  test("with the most probable token alone left, sampling is greedy", async () => {
    const best = await collect("greedy");
    expect(best[0]).toHaveLength(limits.maxNewTokens);
    expect(await collect({ seed: 3, topK: 1 })).toEqual(best);
    expect(await collect({ seed: 3, temperature: 1e-3 })).toEqual(best);
  });
});

test("the number that a token is drawn by is that of the seed's stream at its step and row", async () => {
  const V = 1000;
  const flat = async () => [new Float32Array(V), new Float32Array(V)];
  const decoder = { prompts: [[0], [0]].map((ids) => ({ ids, images: [] })), close: () => {} };
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
