/** Greedy answers of the 9b twin, token for token the original's: goldens/README.md, `generation.json`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { greedy } from "../../src/generate/greedy.js";
import { goldenJson, ids, openTwin, type Twin } from "../twin.js";

interface GenerationCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly input_ids: readonly (readonly number[])[];
  readonly attention_mask: readonly (readonly number[])[];
  readonly new_tokens: readonly (readonly number[])[];
  readonly token_logprobs?: readonly (readonly (number | null)[])[];
  readonly kwargs: {
    readonly max_new_tokens?: number;
    readonly min_new_tokens?: number;
    readonly max_length?: number;
    readonly eos_token_id?: number | readonly number[] | null;
    readonly pad_token_id?: number;
    readonly use_cache?: boolean;
  };
}

/** Settings that say how long an answer may be and where it ends; all others are processors of logits. */
const lengthsAndEnds = [
  "max_new_tokens",
  "min_new_tokens",
  "max_length",
  "eos_token_id",
  "pad_token_id",
  "use_cache",
];

const all = ["generation.json", "generation-generated-length.json"].flatMap((file) =>
  goldenJson<{ cases: GenerationCase[] }>(file).cases.map((each) => ({ ...each, file })),
);
const cases = all.filter(({ kwargs }) => Object.keys(kwargs).every((name) => lengthsAndEnds.includes(name)));

function limitsOf({ kwargs, input_ids }: GenerationCase) {
  const { max_new_tokens, max_length = 20, min_new_tokens, eos_token_id: end = ids.endofchunk } = kwargs;
  return {
    maxNewTokens: max_new_tokens ?? max_length - input_ids[0]!.length,
    minNewTokens: min_new_tokens,
    endTokens: end === null || end === -1 ? [] : typeof end === "number" ? [end] : end,
    logProbs: true,
  };
}

let twin: Twin;
beforeAll(async () => {
  twin = await openTwin();
});
afterAll(() => twin.close());

/** The rows' new tokens, and the largest difference of their log-probabilities to those given. */
async function generate(given: GenerationCase, rows: readonly number[]) {
  const prompts = await Promise.all(
    rows.map(async (row) => ({
      ids: given.input_ids[row]!.filter((_, at) => given.attention_mask[row]![at] === 1),
      pictures: await Promise.all(given.pictures[row]!.map((picture) => twin.picture(picture))),
    })),
  );
  const limits = limitsOf(given);
  const decoder = await twin.engine.decoder(prompts, { room: limits.maxNewTokens });
  const tokens = rows.map((): number[] => []);
  let largest = 0;
  for await (const step of greedy(decoder, limits)) {
    step.forEach((token, i) => {
      if (!token) return;
      const original = given.token_logprobs?.[rows[i]!]?.[tokens[i]!.length];
      if (typeof original === "number") largest = Math.max(largest, Math.abs(token.logProb! - original));
      tokens[i]!.push(token.id);
    });
  }
  decoder.close();
  return { tokens, largest };
}

/** A golden row without the padding behind its end. */
function answerOf(given: GenerationCase, row: number): readonly number[] {
  const tokens = given.new_tokens[row]!;
  const { endTokens, minNewTokens = 0 } = limitsOf(given);
  const end = tokens.findIndex((token, i) => i >= (minNewTokens ?? 0) && endTokens.includes(token));
  return end < 0 ? tokens : tokens.slice(0, end + 1);
}

test("the golden set has the greedy cases that this suite is about", () => {
  console.log(`${cases.length} of ${all.length} cases need no logits processor and no beams`);
  expect(cases.length).toBeGreaterThanOrEqual(24);
});

describe.each(cases)("$file: $name", (given) => {
  const rows = given.input_ids.map((_, row) => row);

  test("the batch gives the original's tokens", async () => {
    const { tokens, largest } = await generate(given, rows);
    expect(tokens).toEqual(rows.map((row) => answerOf(given, row)));
    expect(largest).toBeLessThan(1e-4);
  });

  if (rows.length > 1) {
    test("each prompt alone gives the same", async () => {
      for (const row of rows) {
        const { tokens, largest } = await generate(given, [row]);
        expect(tokens).toEqual([answerOf(given, row)]);
        expect(largest).toBeLessThan(1e-4);
      }
    });
  }
});
