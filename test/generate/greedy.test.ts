/**
 * Greedy answers of the tiny models, token for token the reference implementation's: goldens/README.md,
 * `generation.json`.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { greedy } from "../../src/generate/greedy.js";
import { compared } from "../parity.js";
import { type GoldenModel, onBackends, type TinyModel, tinyModelsWith } from "../tinyModel.js";
import {
  endTokensOf,
  type GenerationCase,
  generationCases,
  hasBeams,
  maxNewTokensOf,
  processingOf,
  promptOf,
} from "./cases.js";

/** The rows' new tokens, and the largest difference of their log-probabilities to those given. */
async function generate(
  tinyModel: TinyModel,
  given: GenerationCase,
  rows: readonly number[],
  writtenImages?: "add" | "restart",
) {
  const prompts = await Promise.all(rows.map((row) => promptOf(tinyModel, given, row)));
  const limits = {
    ...processingOf(given),
    maxNewTokens: maxNewTokensOf(given),
    endTokens: endTokensOf(given),
    before: rows.map((row) => given.input_ids[row]!),
    logProbs: true,
  };
  const decoder = await tinyModel.runner.decoder(prompts, { capacity: limits.maxNewTokens, writtenImages });
  const tokens = rows.map((): number[] => []);
  let largest = 0;
  let logProbs = 0;
  for await (const step of greedy(decoder, limits)) {
    step.forEach((token, i) => {
      if (!token) return;
      const reference = given.token_logprobs?.[rows[i]!]?.[tokens[i]!.length];
      if (typeof reference === "number") {
        largest = Math.max(largest, Math.abs(token.logProb! - reference));
        logProbs++;
      }
      tokens[i]!.push(token.id);
    });
  }
  decoder.close();
  return { tokens, largest, logProbs };
}

type Found = Awaited<ReturnType<typeof generate>>;

/** A golden row without the padding behind its end. */
function answerOf(given: GenerationCase, row: number): readonly number[] {
  const tokens = given.new_tokens[row]!;
  const { min_new_tokens: least = 0 } = given.kwargs;
  const end = tokens.findIndex((token, i) => i >= least && endTokensOf(given).includes(token));
  return end < 0 ? tokens : tokens.slice(0, end + 1);
}

/**
 * With its cache the reference implementation forgets earlier places; of GPT-NeoX 4.33.3 has used it always
 * (goldens/README.md).
 */
function writtenImagesOf({ family }: GoldenModel, { file, kwargs }: GenerationCase): "add" | "restart" {
  const cached = kwargs.use_cache || (family === "gpt_neox" && file === "generation.json");
  return cached ? "restart" : "add";
}

describe.each(onBackends(tinyModelsWith("generation.json", "greedy answers")))(
  "$name on $backend",
  (golden) => {
    const all = generationCases(golden);
    const cases = all.filter((given) => !hasBeams(given));
    let tinyModel: TinyModel;
    beforeAll(async () => {
      tinyModel = await golden.open();
    });
    afterAll(() => tinyModel.close());

    /** Asks that rows be the reference implementation's, and notes it. */
    function compare(what: string, given: GenerationCase, rows: readonly number[], found: Found): void {
      const { tokens, largest, logProbs } = found;
      const { name, backend } = golden;
      compared(`greedy/ids${what}/${name}`, { cases: 1, values: tokens.flat().length, backend });
      const of = { largest, bound: 1e-4, backend };
      compared(`greedy/log-probabilities${what}/${name}`, { cases: 1, values: logProbs, ...of });
      expect(tokens).toEqual(rows.map((row) => answerOf(given, row)));
      expect(largest).toBeLessThan(of.bound);
    }

    test("every case of the golden set with log-probabilities of a greedy answer is here", () => {
      const names = (of: readonly GenerationCase[]) => of.map(({ file, name }) => `${file}: ${name}`);
      expect(cases.length).toBeGreaterThan(0);
      expect(names(cases)).toEqual(names(all.filter(({ token_logprobs }) => token_logprobs)));
    });

    describe.each(cases)("$file: $name", (given) => {
      const rows = given.input_ids.map((_, row) => row);

      test("the batch gives the reference implementation's tokens", async () => {
        compare("", given, rows, await generate(tinyModel, given, rows, writtenImagesOf(golden, given)));
      });

      // A written <image> is forced on a row by its number.
      if (rows.length > 1 && !given.kwargs.force) {
        test("each prompt alone gives the same", async () => {
          for (const row of rows)
            compare(", rows alone", given, [row], await generate(tinyModel, given, [row]));
        });
      }
    });
  },
);
