/** Processors and warpers beside the reference implementation's: goldens/README.md, `modules/sampling`; and draws. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { probabilities } from "../../src/generate/logits.js";
import { createProcessor } from "../../src/generate/processors.js";
import { draw } from "../../src/generate/sample.js";
import { createWarper, type Warping } from "../../src/generate/warpers.js";
import { atHand, golden } from "../goldens.js";
import { compared } from "../parity.js";
import { type PlainTensor, tensorsOf } from "../tensors.js";
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
const names = ["modules/sampling.json", "modules/sampling.safetensors"] as const;
const sets = atHand([names], (files) => files, "distributions of samples").map(
  ([file]) => JSON.parse(readFileSync(golden(file), "utf8")) as { cases: SamplingCase[] },
);
const tensors = sets.length > 0 ? await tensorsOf(golden(names[1])) : new Map<string, PlainTensor>();
const rowOf = (name: string, row: number) => {
  const { shape, data } = tensors.get(name)!;
  return data.slice(row * shape[1]!, (row + 1) * shape[1]!);
};
/** Whether several tokens of a row are the most probable. */
function hasTie(logits: Float32Array): boolean {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return logits.filter((logit) => logit === most).length > 1;
}

const cases = sets.flatMap((set) => set.cases);
test.each(cases)("distributions of $name are the reference implementation's", ({ name, settings, kept }) => {
  const [rows, V] = tensors.get("logits")!.shape as [number, number];
  const length = tensors.get("input_ids")!.shape[1]!;
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
    const logits = rowOf("logits", row);
    const isTied = hasTie(logits);
    const step = length - (settings.prompt_length ?? length);
    process({ row, step, ids: [...rowOf("input_ids", row)], logits });
    warp(logits);
    const found = Float32Array.from(probabilities(logits));
    expect(found.filter((p) => p > 0)).toHaveLength(kept[row]!);
    const reference = rowOf(`probabilities.${name}`, row);
    // Which of two equal tokens stays is not defined where top-p cuts between them (`note` in the file).
    const both = isTied && topP ? [found.toSorted(), reference.toSorted()] : [found, reference];
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

describe("tokens that are left out", () => {
  /** Which tokens stay. */
  const left = (values: readonly number[], settings: Warping): readonly number[] => {
    const logits = Float32Array.from(values);
    createWarper(settings)(logits);
    return [...logits.keys()].filter((token) => logits[token] !== Number.NEGATIVE_INFINITY);
  };
  const logsOf = (p: readonly number[]) => p.map(Math.log);

  test("top-k keeps all that are as probable as the last of them", () => {
    expect(left([3, 1, 2, 3, 2, 0], { topK: 1 })).toEqual([0, 3]);
    expect(left([3, 1, 2, 3, 2, 0], { topK: 3 })).toEqual([0, 2, 3, 4]);
    expect(left([3, 1, 2], { topK: 3 })).toEqual([0, 1, 2]);
    expect(left([3, 1, 2], { topK: 9 })).toEqual([0, 1, 2]);
  });

  test("top-p keeps what is more than the improbable rest, and of equal tokens the last", () => {
    expect(left(logsOf([0.5, 0.25, 0.15, 0.1]), { topP: 0.7 })).toEqual([0, 1]);
    expect(left(logsOf([0.5, 0.25, 0.15, 0.1]), { topP: 0.76 })).toEqual([0, 1, 2]);
    expect(left([0, 0], { topP: 0.5 })).toEqual([1]); // just half is the improbable rest
    expect(left([1, 1, 1, 1], { topP: 0.7 })).toEqual([1, 2, 3]);
    expect(left([1, 1, 1, 1], { topP: 1e-9 })).toEqual([3]);
    expect(left([0, 0], { topP: 0.5 })).toEqual([1]); // exactly 1 − topP may be left out
    expect(left([0, 0], { topP: 0.5000001 })).toEqual([0, 1]);
    expect(left([0, 5, -Infinity, 5], { topP: 1e-9 })).toEqual([3]);
    expect(left([-0, 0, -0, 0, -40], { topP: 0.6 })).toEqual([1, 2, 3]);
  });

  test("min-p keeps the most probable token and those of its share", () => {
    expect(left(logsOf([0.5, 0.25, 0.15, 0.1]), { minP: 0.45 })).toEqual([0, 1]);
    expect(left([2, 1, 2, 2], { minP: 1 })).toEqual([0, 2, 3]);
  });

  test("top-p leaves out what adding up sorted tokens one by one leaves out, ties and impossible tokens included", () => {
    const random = randomStream(0, "rows");
    for (let row = 0; row < 300; row++) {
      const values = Float32Array.from({ length: 40 }, (_, i) => {
        const steps = 1 + (row % 5) * 8; // few steps: many are equal
        const value = Math.round(3 * steps * random.normal(row, i)) / steps;
        return row % 7 === 0 && i % 3 === 0 ? -Infinity : value;
      });
      const topP = 0.02 + 0.96 * random.uniform(row, 40);
      const p = probabilities(values);
      const order = [...values.keys()].sort((a, b) => values[a]! - values[b]! || a - b);
      const kept = new Set([order.pop()!]);
      let below = 0;
      for (const token of order) {
        below += p[token]!;
        if (below > 1 - topP) kept.add(token);
      }
      expect(left([...values], { topP })).toEqual([...kept].sort((a, b) => a - b));
    }
  });

  test("top-k leaves out what is below the k-th of the sorted logits", () => {
    const random = randomStream(1, "rows");
    for (let row = 0; row < 300; row++) {
      const values = Array.from({ length: 40 }, (_, i) => Math.round(4 * random.normal(row, i)));
      const topK = 1 + Math.floor(39 * random.uniform(row, 40));
      const smallest = values.toSorted((a, b) => b - a)[topK - 1]!;
      expect(left(values, { topK })).toEqual([...values.keys()].filter((i) => values[i]! >= smallest));
    }
  });

  test("a temperature at its lowest is greedy, and no logit becomes infinite", () => {
    const logits = Float32Array.of(900, -900, 901);
    createWarper({ temperature: 1e-6 })(logits);
    expect([...probabilities(logits)]).toEqual([0, 0, 1]);
  });
});
