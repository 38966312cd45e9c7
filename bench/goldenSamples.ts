/** The greedy prompts and answers of a tiny model's golden values, each once. */

import type { Sample } from "../src/prepare/sample.node.js";
import { endTokensOf, generationCases, hasBeams } from "../test/generate/cases.js";
import type { GoldenModel } from "../test/tinyModel.js";

export async function goldenSamples(model: GoldenModel): Promise<Sample[]> {
  const pixels = await model.goldenTensors("inputs.safetensors");
  const samples = new Map<string, Sample>();
  for (const given of generationCases(model)) {
    if (hasBeams(given)) continue;
    for (const [row, padded] of given.input_ids.entries()) {
      const ids = padded.filter((_, at) => given.attention_mask[row]![at] === 1);
      const names = given.pictures[row]!;
      const end = given.new_tokens[row]!.findIndex((token) => endTokensOf(given).includes(token));
      const answer = given.new_tokens[row]!.slice(0, end < 0 ? undefined : end + 1);
      const key = [ids, names].join("|");
      if (samples.has(key) || names.length === 0) continue;
      samples.set(key, { images: names.map((name) => pixels.get(`pixels.${name}`)!.data), ids, answer });
    }
  }
  return [...samples.values()];
}
