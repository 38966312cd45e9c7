/**
 * Beam search beside the reference implementation's: ids and scores of both generation files of a tiny model
 * (goldens/README.md).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beamSearch } from "../../src/generate/beams.js";
import { compared } from "../parity.js";
import { onBackends, type TinyModel, tinyModelsWith } from "../tinyModel.js";
import {
  endTokensOf,
  type GenerationCase,
  generationCases,
  hasBeams,
  maxNewTokensOf,
  processingOf,
  promptOf,
} from "./cases.js";

/** Of the scores in the files. */
const lastDecimal = 1e-7;

const tinyModels = onBackends(tinyModelsWith("generation.json", "beams"));
describe.each(tinyModels)("$name on $backend", (golden) => {
  const { backend } = golden;
  const all = generationCases(golden);
  const cases = all.filter(hasBeams);
  let tinyModel: TinyModel;
  beforeAll(async () => {
    tinyModel = await golden.open();
  });
  afterAll(() => tinyModel.close());

  test("every case of the golden set with scores of sequences is here", () => {
    const names = (of: readonly GenerationCase[]) => of.map(({ file, name }) => `${file}: ${name}`);
    expect(cases.length).toBeGreaterThan(0);
    expect(names(cases)).toEqual(names(all.filter(({ sequences_scores }) => sequences_scores)));
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
