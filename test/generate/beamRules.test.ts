/** The rules of beam search one by one, on tables of logits that are small enough to be followed by hand. */
import { expect, test } from "vitest";
import { beamSearch } from "../../src/generate/beams.js";
import type { TokenTree, TreeOptions } from "../../src/runner/tokenTree.js";

/** A runner whose logits after a token are a row of a table; after the prompt, the first. */
function tableRunner(table: readonly (readonly number[])[]) {
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
  const { runner, seen } = tableRunner(table);
  const options = { beams: 1, maxNewTokens: 5, endTokens: [3], lengthPenalty: 0 };
  const [sequence] = await beamSearch(runner, prompt, options);
  expect(sequence).toMatchObject({ ids: [1, 2, 3], finished: "end" });
  expect(sequence!.logProbs).toHaveLength(3);
  expect(sequence!.score).toBeCloseTo(sequence!.logProbs.reduce((a, b) => a + b));
  expect(seen).toMatchObject({ closed: 1, capacity: { nodes: 4, depth: 5 } });
});

test("without end tokens sequences grow to the greatest length, which needs one run less than tokens", async () => {
  const { runner, seen } = tableRunner(table);
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
  const stopped = tableRunner(table);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(beamSearch(stopped.runner, prompt, { ...options, signal })).rejects.toThrow("enough");
  const broken = tableRunner([[0, Number.NaN, 0, 0]]);
  await expect(beamSearch(broken.runner, prompt, options)).rejects.toMatchObject({
    code: "logits-not-finite",
  });
  expect([stopped.seen.closed, broken.seen.closed]).toEqual([1, 1]);
});

/** All four tokens are equally probable, always. */
const flat = Array.from({ length: 4 }, () => [0, 0, 0, 0]);

/** Logits that are the logarithms of shares; what is not listed has the share of the rest. */
const shares = (size: number, given: Readonly<Record<number, number>>): readonly number[] => {
  const rest = 1 - Object.values(given).reduce((sum, share) => sum + share, 0);
  const others = size - Object.keys(given).length;
  return Array.from({ length: size }, (_, token) => Math.log(given[token] ?? rest / others));
};

test("with several end tokens there are candidates enough for every beam to go on", async () => {
  const [first, second] = [3, 4];
  const afterOne = shares(6, { [first]: 0.4, [second]: 0.35, 1: 0.15, 2: 0.05 });
  const afterTwo = shares(6, { [first]: 0.4, [second]: 0.35, 1: 0.05, 2: 0.15 });
  const { runner } = tableRunner([shares(6, { 1: 0.5, 2: 0.4 }), afterOne, afterTwo]);
  const seen: (readonly number[])[] = [];
  const found = await beamSearch(runner, prompt, {
    ...{ beams: 2, returnSequences: 2, maxNewTokens: 3, endTokens: [first, second] },
    ...{ beamLength: "generated", earlyStopping: "never", lengthPenalty: 3 },
    onScores: ({ ids }) => seen.push(ids),
  });
  // At the second step the four most probable candidates end: only the fifth and sixth go on.
  expect(seen.slice(-2)).toEqual([
    [0, 1, 1],
    [0, 2, 2],
  ]);
  // Whichever token ended a sequence, the first of them stands there.
  expect(found.map(({ ids }) => ids)).toEqual([
    [1, 1, first],
    [1, 1, first],
  ]);
  const scores = [0.5 * 0.15 * 0.4, 0.5 * 0.15 * 0.35].map((p) => Math.log(p) / 27);
  expect(found.map(({ score }) => score)).toEqual(scores.map((score) => expect.closeTo(score, 6)));
  expect(found[1]!.logProbs).toEqual([0.5, 0.15, 0.35].map((p) => expect.closeTo(Math.log(p), 5)));
});

test("an end token that is no better than the beams that go on does not end a sequence", async () => {
  const { runner } = tableRunner([
    shares(5, { 1: 0.4, 2: 0.3, 3: 0.2 }),
    shares(5, { 0: 0.9 }),
    shares(5, { 0: 0.9 }),
  ]);
  const options = { beams: 2, returnSequences: 2, maxNewTokens: 2, endTokens: [3], lengthPenalty: 0 };
  const found = await beamSearch(runner, prompt, options);
  expect(found.map(({ ids }) => ids)).toEqual([
    [1, 0],
    [2, 0],
  ]);
});

test("processors see the number of their beam, its own ids and log-probabilities", async () => {
  const { runner } = tableRunner(table);
  const seen: { row: number; step: number; ids: readonly number[]; sum: number }[] = [];
  await beamSearch(runner, prompt, {
    ...{ beams: 3, maxNewTokens: 3, endTokens: [], before: [7, 7, 0] },
    processors: [
      ({ row, step, ids, logits }) => {
        seen.push({ row, step, ids, sum: logits.reduce((sum, x) => sum + Math.exp(x), 0) });
      },
    ],
  });
  expect(seen.map(({ row, step }) => `${step}.${row}`).join(" ")).toBe("0.0 0.1 0.2 1.0 1.1 1.2 2.0 2.1 2.2");
  expect(seen.slice(3, 6).map(({ ids }) => ids)).toEqual([
    [7, 7, 0, 1],
    [7, 7, 0, 2],
    [7, 7, 0, 3],
  ]);
  for (const { sum } of seen) expect(sum).toBeCloseTo(1, 5);
});

test('"never" asks what the present length could reach where longer sequences are worse', async () => {
  // Scores are sums times lengths. After two tokens the worst finished sequence has 2·log 0.246 = −2.81. The best
  // running one has log 0.405 = −0.90: −1.81 at this length, −3.62 at the greatest, −2.74 where it really ends.
  const { runner } = tableRunner([
    shares(6, { 1: 0.45, 3: 0.2799, 2: 0.27 }),
    shares(6, { 4: 0.9, 3: 0.08 }),
    shares(6, { 3: 0.91 }),
    [],
    shares(6, { 3: 0.99 }),
  ]);
  const found = await beamSearch(runner, prompt, {
    ...{ beams: 2, returnSequences: 2, maxNewTokens: 4, endTokens: [3] },
    ...{ beamLength: "generated", earlyStopping: "never", lengthPenalty: -1 },
  });
  expect(found.map(({ ids }) => ids)).toEqual([[3], [1, 4, 3]]);
  const scores = [Math.log(0.2799), 3 * Math.log(0.45 * 0.9 * 0.99)];
  expect(found.map(({ score }) => score)).toEqual(scores.map((score) => expect.closeTo(score, 5)));
});

test('"never" asks what the greatest length could reach where longer sequences are better', async () => {
  const step = shares(4, { 3: 0.99, 1: 0.005 });
  const calls = async (earlyStopping: boolean | "never") => {
    const { runner, seen } = tableRunner([step, step]);
    const options = { beams: 1, maxNewTokens: 4, endTokens: [3], lengthPenalty: 3, earlyStopping };
    const [best] = await beamSearch(runner, prompt, { ...options, beamLength: "generated" });
    expect(best!.ids).toEqual([3]);
    return seen.calls;
  };
  expect(await calls(true)).toBe(0);
  expect(await calls(false)).toBe(0);
  // The best sum, log 0.99, would be better at four tokens; the next, log 0.005 + log 0.99, is worse even there.
  expect(await calls("never")).toBe(1);
});

test("of equal candidates the earlier beam and the smaller token go first; of equal sequences the later is better", async () => {
  const { runner } = tableRunner(flat);
  const seen: (readonly number[])[] = [];
  const found = await beamSearch(runner, prompt, {
    ...{ beams: 3, returnSequences: 3, maxNewTokens: 2, endTokens: [] },
    onScores: ({ ids }) => seen.push(ids.slice(1)),
  });
  expect(seen.slice(3)).toEqual([[0], [1], [2]]);
  expect(found.map(({ ids }) => ids)).toEqual([
    [0, 2],
    [0, 1],
    [0, 0],
  ]);
});

test("a sequence that is as good as the worst of enough finished ones does not take its place", async () => {
  // The first beam goes on at no cost, and could end each time: for 0.5, then twice for 0.75.
  const ends = [0, -0.5, -0.75, -0.75, -50];
  const found = await beamSearch(tableRunner(flat).runner, prompt, {
    ...{ beams: 2, returnSequences: 2, maxNewTokens: 9, endTokens: [3], lengthPenalty: 0 },
    processors: [
      ({ row, step, logits }) => {
        logits.fill(-50);
        if (step === 0) logits.set([-1, -2]);
        else logits[0] = step === 4 ? -10 : 0;
        if (step > 0 && row === 0) logits[3] = ends[step]!;
      },
    ],
  });
  expect(found.map(({ ids, score }) => [ids, score])).toEqual([
    [[0, 3], -1.5],
    [[0, 0, 3], -1.75],
  ]);
});

test("sums are of float32: what is lost there cannot decide", async () => {
  // Beside 1000, a float32 does not hold a hundred thousandth: both sums are −1001, and the smaller token is taken.
  const [best] = await beamSearch(tableRunner(flat).runner, prompt, {
    ...{ beams: 1, maxNewTokens: 2, endTokens: [], lengthPenalty: 0 },
    processors: [
      ({ step, logits }) => {
        logits.set(step === 0 ? [-1000, -5000, -5000, -5000] : [-5000, -1.00001, -1, -3000]);
      },
    ],
  });
  expect(best).toMatchObject({ ids: [0, 1], score: -1001 });
});
