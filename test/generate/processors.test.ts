/** What processors promise beyond the golden cases: their order, what they see, and what they reject. */
import { expect, test } from "vitest";
import { createProcessor, type Processing, type RowState } from "../../src/generate/processors.js";

/** Which of ten tokens are left. */
function left(settings: Processing, ids: readonly number[], endTokens: readonly number[] = []) {
  const logits = new Float32Array(10);
  createProcessor(settings, { endTokens })({ row: 0, step: 0, ids, logits });
  return [...logits.keys()].filter((token) => logits[token] === 0);
}
const without = (...tokens: number[]) => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((x) => !tokens.includes(x));

test.each<[string, Processing, readonly number[], readonly number[]]>([
  ["a pair that was there is not completed again", { noRepeatNgramSize: 2 }, [1, 2, 1, 3, 1], without(2, 3)],
  ["also where the pair is the end of the text", { noRepeatNgramSize: 2 }, [1, 5, 5], without(5)],
  ["a text shorter than the sequence bans nothing", { noRepeatNgramSize: 3 }, [1], without()],
  ["a bad word of one token is banned", { badWords: [[4]] }, [1], without(4)],
  ["a longer one after its beginning", { badWords: [[1, 2, 4]] }, [0, 1, 2], without(4)],
  ["a longer one not after something else", { badWords: [[1, 2, 4]] }, [0, 2, 2], without()],
  ["one as long as text and last token is not looked at", { badWords: [[1, 2, 4]] }, [1, 2], without()],
  ["an end token as a bad word has no effect", { badWords: [[9], [8]] }, [1], without(8)],
  ["the end is barred below the whole length", { minLength: 3 }, [1, 2], without(9)],
  ["and open from it on", { minLength: 3 }, [1, 2, 3], without()],
  ["the end is barred below the new length", { minNewTokens: 1 }, [1, 2, 3], without(9)],
])("%s", (_, settings, ids, expected) => {
  expect(left(settings, ids, [9])).toEqual(expected);
});

test("an own processor comes after the others, sees row, step and ids, and changes the logits", () => {
  const seen: RowState[] = [];
  const process = createProcessor(
    {
      badWords: [[1]],
      processors: [
        (state) => {
          seen.push({ ...state, logits: state.logits.slice() });
          state.logits[2] = 7;
        },
      ],
    },
    { endTokens: [], banned: [3] },
  );
  const logits = new Float32Array(4);
  process({ row: 2, step: 5, ids: [0, 0], logits });
  expect(seen).toEqual([{ row: 2, step: 5, ids: [0, 0], logits: Float32Array.of(0, -Infinity, 0, 0) }]);
  expect(logits).toEqual(Float32Array.of(0, -Infinity, 7, -Infinity));
});

test.each([
  [2, [-6, 1.5, 0, -4]],
  [0.5, [-1.5, 6, 0, -4]],
])(
  "a repetition penalty of %d acts once on each token of the text, whichever its sign",
  (repetitionPenalty, expected) => {
    const logits = Float32Array.of(-3, 3, 0, -4);
    createProcessor(
      { repetitionPenalty },
      { endTokens: [] },
    )({ row: 0, step: 0, ids: [0, 1, 2, 1, 0], logits });
    expect([...logits]).toEqual(expected);
  },
);
