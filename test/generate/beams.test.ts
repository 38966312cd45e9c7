/**
 * Beam search beside the reference implementation's: ids and scores of both generation files of a tiny model
 * (goldens/README.md).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beamSearch } from "../../src/generate/beams.js";
import type { TokenTree, TreeOptions } from "../../src/runner/tokenTree.js";
import { compared } from "../parity.js";
import { onBackends, type TinyModel, tinyModelsWith } from "../tinyModel.js";
import {
  endTokensOf,
  type GenerationCase,
  generationCases,
  maxNewTokensOf,
  processingOf,
  promptOf,
} from "./cases.js";

/** Of the scores in the files. */
const lastDecimal = 1e-7;

const tinyModels = onBackends(tinyModelsWith("generation.json", "beams"));
describe.each(tinyModels)("$name on $backend", (golden) => {
  const { backend } = golden;
  const cases = generationCases(golden).filter(({ kwargs }) => (kwargs.num_beams ?? 1) > 1);
  let tinyModel: TinyModel;
  beforeAll(async () => {
    tinyModel = await golden.open();
  });
  afterAll(() => tinyModel.close());

  test("the golden set has the beam cases that this suite is about", () => {
    expect(cases.length).toBeGreaterThanOrEqual(65);
  });

  test.each(cases)("$file: $name", async (given) => {
    const { kwargs, sequences_scores: scores, new_tokens: tokens } = given;
    const each = kwargs.num_return_sequences ?? 1;
    let largest = 0;
    let values = 0;
    for (const row of given.input_ids.keys()) {
      const found = await search(tinyModel, given, row);
      expect(found).toHaveLength(each);
      found.forEach(({ ids, score }, i) => {
        const expected = tokens[row * each + i]!;
        const padding = kwargs.pad_token_id ?? endTokensOf(given)[0]!;
        expect([...ids, ...expected.slice(ids.length).map(() => padding)]).toEqual(expected);
        const reference = scores![row * each + i]!;
        const difference = Math.abs(score - reference) - lastDecimal;
        largest = Math.max(largest, difference / Math.abs(reference));
        values += ids.length;
      });
    }
    compared(`beams/ids/${golden.name}`, { cases: 1, values, backend });
    const of = { largest, bound: 1e-4, unit: "relative", backend } as const;
    compared(`beams/scores/${golden.name}`, { cases: 1, values: scores!.length, ...of });
    expect(largest).toBeLessThan(of.bound);
  });
});

async function search(tinyModel: TinyModel, given: GenerationCase, row: number) {
  const { kwargs, file } = given;
  return beamSearch(tinyModel.runner, await promptOf(tinyModel, given, row), {
    ...processingOf(given),
    beams: kwargs.num_beams!,
    returnSequences: kwargs.num_return_sequences,
    lengthPenalty: kwargs.length_penalty,
    earlyStopping: kwargs.early_stopping,
    beamLength: file === "generation.json" ? "total" : "generated",
    before: given.input_ids[row],
    maxNewTokens: maxNewTokensOf(given),
    endTokens: endTokensOf(given),
  });
}

/** An runner whose logits after a token are a row of a table; after the prompt, the first. */
function tableEngine(table: readonly (readonly number[])[]) {
  const seen = { closed: 0, capacity: undefined as TreeOptions | undefined, calls: 0 };
  const runner = {
    tokenTree: async (_: unknown, capacity: TreeOptions): Promise<TokenTree> => {
      seen.capacity = capacity;
      return {
        prefill: async () => Float32Array.from(table[0]!),
        add: async (children) => {
          seen.calls++;
          return children.map(({ token }) => Float32Array.from(table[token]!));
        },
        clear: () => {},
        close: () => {
          seen.closed++;
        },
      };
    },
  };
  return { runner, seen };
}
const prompt = { ids: [0], images: [] };
/** Most probable first: 1 after the prompt, 2 after 1, then the end, 3. */
const table = [
  [0, 5, 2, 1],
  [0, 2, 5, 1],
  [0, 1, 2, 5],
  [3, 0, 1, 2],
];

test("one beam is the greedy answer, with the sum of its log-probabilities", async () => {
  const { runner, seen } = tableEngine(table);
  const options = { beams: 1, maxNewTokens: 5, endTokens: [3], lengthPenalty: 0 };
  const [sequence] = await beamSearch(runner, prompt, options);
  expect(sequence).toMatchObject({ ids: [1, 2, 3], finished: "end" });
  expect(sequence!.logProbs).toHaveLength(3);
  expect(sequence!.score).toBeCloseTo(sequence!.logProbs.reduce((a, b) => a + b));
  expect(seen).toMatchObject({ closed: 1, capacity: { nodes: 4, depth: 5 } });
});

test("without end tokens sequences grow to the greatest length, which needs one run less than tokens", async () => {
  const { runner, seen } = tableEngine(table);
  const found = await beamSearch(runner, prompt, {
    beams: 2,
    returnSequences: 2,
    maxNewTokens: 4,
    endTokens: [],
  });
  expect(found.map(({ ids, finished }) => [ids.length, finished])).toEqual([
    [4, "length"],
    [4, "length"],
  ]);
  expect(found[0]!.score).toBeGreaterThan(found[1]!.score);
  expect(seen.calls).toBe(3);
});

test("stopped, or with logits that are no numbers, it gives the tree back", async () => {
  const options = { beams: 2, maxNewTokens: 4, endTokens: [] };
  const stopped = tableEngine(table);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(beamSearch(stopped.runner, prompt, { ...options, signal })).rejects.toThrow("enough");
  const broken = tableEngine([[0, Number.NaN, 0, 0]]);
  await expect(beamSearch(broken.runner, prompt, options)).rejects.toMatchObject({
    code: "logits-not-finite",
  });
  expect([stopped.seen.closed, broken.seen.closed]).toEqual([1, 1]);
});
