/** The rules of beam search one by one, on models that are a table: ties, lengths, end tokens, rounding. */
import { expect, test } from "vitest";
import { type BeamOptions, beamSearch } from "../../src/generate/beams.js";
import type { TokenTree } from "../../src/runner/tokenTree.js";

/**
 * A search with a model whose logits after a token are a row of the table; after the prompt, the first.
 *
 * @returns the sequences, and how many nodes each call added
 */
async function search(table: readonly (readonly number[])[], options: BeamOptions) {
  const added: number[] = [];
  const tree: TokenTree = {
    prefill: async () => Float32Array.from(table[0]!),
    add: async (children) => {
      added.push(children.length);
      return children.map(({ token }) => Float32Array.from(table[token]!));
    },
    clear: () => {},
    close: () => {},
  };
  const found = await beamSearch({ tokenTree: async () => tree }, { ids: [0], images: [] }, options);
  return { found, ids: found.map(({ ids }) => ids), added };
}

/** Rows of probabilities as logits. */
const logs = (...rows: readonly (readonly number[])[]) => rows.map((row) => row.map(Math.log));
const same = (tokens: number, logit = 0) => Array.from({ length: tokens }, () => logit);

test.each([1, 2, 3])(
  "with %i beams and three end tokens before all others, each beam goes on",
  async (beams) => {
    const row = [0, 5, 4, 3, -1, -2];
    const table = row.map(() => row);
    const { added } = await search(table, { beams, maxNewTokens: 3, endTokens: [1, 2, 3], lengthPenalty: 9 });
    expect(added).toEqual([beams, beams]);
  },
);

test("a processor sees the number of its beam", async () => {
  const rows: number[] = [];
  const processors = [({ row }: { row: number }) => void rows.push(row)];
  await search([same(4), same(4), same(4), same(4)], {
    beams: 3,
    maxNewTokens: 2,
    endTokens: [],
    processors,
  });
  expect(rows).toEqual([0, 1, 2, 0, 1, 2]);
});

test("of equal candidates the first tokens of the first beams are taken; of equal sequences the later is better", async () => {
  const options = { beams: 3, returnSequences: 3, endTokens: [] };
  const one = await search([same(9)], { ...options, maxNewTokens: 1 });
  expect(one.ids).toEqual([[2], [1], [0]]);
  const two = await search(
    same(9).map(() => same(9)),
    { ...options, maxNewTokens: 2 },
  );
  expect(two.ids).toEqual([
    [0, 2],
    [0, 1],
    [0, 0],
  ]);
});

test("a sequence that is as good as the worst of those that ended does not replace it", async () => {
  const impossible = same(15, Number.NEGATIVE_INFINITY);
  // Token 0 ends. After the prompt and after token 1 its probability is 1/2: mean log-probabilities are the same.
  const table = [
    [0, 0, ...impossible],
    [0, ...same(16, -Math.log(16))],
  ];
  const { found, added } = await search(table, { beams: 1, maxNewTokens: 2, endTokens: [0] });
  expect(added).toEqual([1]);
  expect(found).toMatchObject([{ ids: [0], score: Math.fround(-Math.LN2), finished: "end" }]);
});

test.each([-1, -0.5])(
  '"never" with a length penalty of %d compares with the length so far',
  async (lengthPenalty) => {
    // Token 0 ends. The best sequence, 1 3 0, is found after the second one has ended.
    const table = logs([0.3, 0.6, 0.1, 0], [0.1, 0, 0, 0.9], [0.25, 0.25, 0.25, 0.25], [0.95, 0.05, 0, 0]);
    const options = { beams: 2, returnSequences: 2, endTokens: [0], lengthPenalty, maxNewTokens: 40 };
    const { ids } = await search(table, { ...options, earlyStopping: "never" });
    expect(ids.map((each) => each.join(" ")).sort()).toEqual(["0", "1 3 0"]);
  },
);

test("log-probabilities are added up in float32", async () => {
  const table = [0.1, 0.7, 1.3, 2.9, 0.31].map((x, i) => [x, i / 3, 0.2 + i / 7, x / 9, 1.1]);
  const options = { beams: 2, maxNewTokens: 12, endTokens: [], lengthPenalty: 0 };
  const { found } = await search(table, options);
  const { score, logProbs } = found[0]!;
  expect(logProbs).toHaveLength(12);
  expect(score).toBe(logProbs.reduce((sum, each) => Math.fround(sum + each)));
  expect(score).not.toBe(logProbs.reduce((sum, each) => sum + each)); // or this test would say nothing
});
