/** Processors and warpers beside the reference implementation's: goldens/README.md, `modules/sampling`; and draws. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { probabilities } from "../../src/generate/logits.js";
import { createProcessor } from "../../src/generate/processors.js";
import { draw } from "../../src/generate/sample.js";
import { createWarper, type Warping } from "../../src/generate/warpers.js";
import { golden } from "../goldens.js";
import { compared } from "../parity.js";
import { tensorsOf } from "../tensors.js";
import { largestDifference } from "../tinyModel.js";

interface SamplingCase {
  readonly name: string;
  readonly settings: {
    readonly temperature?: number;
    readonly top_k?: number;
    readonly top_p?: number;
    readonly min_p?: number;
    readonly repetition_penalty?: number;
    readonly no_repeat_ngram_size?: number;
    readonly bad_words_ids?: readonly (readonly number[])[];
    readonly min_new_tokens?: number;
    readonly prompt_length?: number;
    readonly eos_token_id?: number;
  };
  readonly kept: readonly number[];
}
const json = JSON.parse(readFileSync(golden("modules/sampling.json"), "utf8"));
const cases = (json as { cases: SamplingCase[] }).cases;
const tensors = await tensorsOf(golden("modules/sampling.safetensors"));
const [rows, V] = tensors.get("logits")!.shape as [number, number];
const length = tensors.get("input_ids")!.shape[1]!;
const rowOf = (name: string, row: number, width: number) =>
  tensors.get(name)!.data.slice(row * width, (row + 1) * width);

test.each(cases)("distributions of $name are the reference implementation's", ({ name, settings, kept }) => {
  const process = createProcessor(
    {
      repetitionPenalty: settings.repetition_penalty,
      noRepeatNgramSize: settings.no_repeat_ngram_size,
      badWords: settings.bad_words_ids,
      minNewTokens: settings.min_new_tokens,
    },
    { endTokens: settings.eos_token_id === undefined ? [] : [settings.eos_token_id] },
  );
  const { temperature, top_k: topK, top_p: topP, min_p: minP } = settings;
  const warp = createWarper({ temperature, topK, topP, minP });
  let largest = 0;
  for (let row = 0; row < rows; row++) {
    const logits = rowOf("logits", row, V);
    const step = length - (settings.prompt_length ?? length);
    process({ row, step, ids: [...rowOf("input_ids", row, length)], logits });
    warp(logits);
    const found = Float32Array.from(probabilities(logits));
    expect(found.filter((p) => p > 0)).toHaveLength(kept[row]!);
    const reference = rowOf(`probabilities.${name}`, row, V);
    // Which of two equal tokens stays is not defined where top-p cuts between them (`note` in the file).
    const both = row === 1 && topP ? [found.toSorted(), reference.toSorted()] : [found, reference];
    largest = Math.max(largest, largestDifference(both[0]!, both[1]!));
  }
  const bound = 1e-6;
  compared("sampling/probabilities/modules", { cases: 1, values: rows * V, largest, bound });
  expect(largest).toBeLessThan(bound);
});

describe("a draw", () => {
  test("takes each token as often as its probability says, and impossible ones never", () => {
    const p = Float64Array.of(0, 0.25, 0, 0.5, 0.25, 0);
    const counts = p.map(() => 0);
    for (let i = 0; i < 1000; i++) counts[draw(p, i / 1000)]!++;
    expect([...counts]).toEqual([0, 250, 0, 500, 250, 0]);
  });

  test("finds a possible token also when rounding leaves the sum below the number", () => {
    expect(draw(Float64Array.of(0.5, 0.4999, 0), 0.99999)).toBe(1);
  });
});

test.each<[string, Warping, string]>([
  ["a temperature of 0", { temperature: 0 }, "temperature is 0: it must be above 0"],
  ["half a token", { topK: 0.5 }, "topK is 0.5: it must be a whole number, 1 or more"],
  ["no probability", { topP: 0 }, "topP is 0: it must be above 0 and at most 1"],
  ["a share above 1", { minP: 1.5 }, "minP is 1.5: it must be from 0 to 1"],
  ["no number", { temperature: Number.NaN }, "temperature is NaN: it must be above 0"],
])("%s is rejected", (_, settings, message) => {
  expect(() => createWarper(settings)).toThrow(expect.objectContaining({ code: "usage", message }));
});
