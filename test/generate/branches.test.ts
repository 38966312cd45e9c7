/**
 * Rows that continue one prompt as branches of a token tree, beside the same rows as a batch: the same logits and the
 * same draws, whatever the rows write, on a model of random weights.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withRandomWeights } from "../../bench/randomModel.js";
import { openBranches } from "../../src/generate/branches.js";
import type { RowState } from "../../src/generate/processors.js";
import { sample } from "../../src/generate/sample.js";
import { compile } from "../../src/onnx/compile.js";
import { createDecoder, type RowDecoder, type WrittenImages } from "../../src/runner/decoder.js";
import type { Prompt } from "../../src/runner/encodedImages.js";
import { decodeGraph } from "../../src/runner/graphs.js";
import { createTokenTree, type TokenTree, type TreeNode } from "../../src/runner/tokenTree.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import type { Runtime, Session } from "../../src/runtime/runtime.js";
import { config, image, imageToken } from "../runner/smallModel.js";
import { largestDifference } from "../tinyModel.js";

const rows = 4;
const maxNewTokens = 8;
const prompt: Prompt = { ids: [90, 3, 1, 4, 90, 1, 5], images: [image(1), image(2), image(3)] };

let runtime: Runtime;
let session: Session;
const sessionOf = () => Promise.resolve(session);
beforeAll(async () => {
  runtime = await openOrtFfi();
  session = await runtime.load(withRandomWeights(compile(decodeGraph(config)), 0.3));
});
afterAll(() => runtime.close());

const asBatch = (writtenImages: WrittenImages): Promise<RowDecoder> =>
  createDecoder({
    ...{ runtime, sessionOf, config, imageToken, writtenImages, capacity: maxNewTokens },
    prompts: Array.from({ length: rows }, () => prompt),
    zeroImage: async () => image(0),
  });
const asBranches = (writtenImages: WrittenImages): Promise<RowDecoder> =>
  openBranches(
    {
      tokenTree: (of, options) =>
        createTokenTree({ runtime, sessionOf, config, imageToken, prompt: of, ...options }),
    },
    prompt,
    rows,
    { capacity: maxNewTokens, writtenImages },
  );

/** Makes rows write `<image>`: row 1 at once, row 3 twice, one of them together with row 0, which then sees all images. */
const written: Readonly<Record<number, readonly number[]>> = { 0: [3, 5, 6], 1: [0], 3: [1, 3] };
const writeImages = ({ row, step, logits }: RowState) => {
  if (!written[row]?.includes(step)) return;
  logits.fill(-Infinity);
  logits[imageToken] = 0;
};

/** The rows' tokens, and what each was drawn from. */
async function draw(decoder: RowDecoder, seed: number, endTokens: readonly number[]) {
  const tokens = decoder.prompts.map((): number[] => []);
  const scores: Float32Array[] = [];
  const onScores = ({ logits }: RowState) => scores.push(logits.slice());
  const limits = { maxNewTokens, endTokens, processors: [writeImages], onScores };
  for await (const step of sample(decoder, { ...limits, seed, temperature: 1.5 })) {
    for (const [row, token] of step.entries()) if (token) tokens[row]!.push(token.id);
  }
  decoder.close();
  return { tokens, scores };
}

describe.each<WrittenImages>(["add", "restart"])("written images: %s", (writtenImages) => {
  test.each([
    ["rows that all grow to the greatest length", []],
    ["rows that end one by one", [7, 11, 23, 42, 57, 77, 81, 33, 65, 2]],
    ["rows that an <image> ends", [imageToken, 7, 33]],
  ])("%s are what they are in a batch", async (_, endTokens) => {
    let largest = 0;
    const lengths = new Set<number>();
    for (const seed of [1, 2, 3]) {
      const batch = await draw(await asBatch(writtenImages), seed, endTokens);
      const branches = await draw(await asBranches(writtenImages), seed, endTokens);
      expect(branches.tokens).toEqual(batch.tokens);
      expect(branches.scores).toHaveLength(batch.scores.length);
      for (const [i, scores] of branches.scores.entries()) {
        const [a, b] = [scores, batch.scores[i]!].map((each) => each.map((x) => Math.max(x, -1e3)));
        largest = Math.max(largest, largestDifference(a!, b!));
      }
      for (const { length } of batch.tokens) lengths.add(length);
    }
    console.log(`branches beside a batch: ${largest.toExponential(1)}`);
    expect(largest).toBeLessThan(1e-5);
    expect(lengths.size > 1).toBe(endTokens.length > 0);
  });
});

test("the two ways of counting written images differ here, so that a mistake in them is seen", async () => {
  const add = await draw(await asBranches("add"), 1, []);
  const restart = await draw(await asBranches("restart"), 1, []);
  expect(restart.scores).not.toEqual(add.scores);
});

/** A tree that answers with flat logits, and notes what is added. */
function notingTree() {
  const calls: (readonly TreeNode[])[] = [];
  const tree: TokenTree = {
    prefill: async () => new Float32Array(100),
    add: async (children) => {
      calls.push(children);
      return children.map(() => new Float32Array(100));
    },
    clear: () => {},
    close: () => {},
  };
  return { calls, runner: { tokenTree: async () => tree } };
}

test("a row that is no longer wanted is not computed, and others go on from their own tokens", async () => {
  const { calls, runner } = notingTree();
  const branches = await openBranches(runner, prompt, 3, { capacity: 3 });
  await branches.prefill();
  await branches.step([10, 11, 12]);
  const logits = await branches.step([20, undefined, 22]);
  await branches.step([undefined, undefined, 32]);
  expect(calls).toEqual([
    [
      { parent: -1, token: 10 },
      { parent: -1, token: 11 },
      { parent: -1, token: 12 },
    ],
    [
      { parent: 0, token: 20 },
      { parent: 2, token: 22 },
    ],
    [{ parent: 4, token: 32 }],
  ]);
  expect(logits.map((row) => row?.length)).toEqual([100, undefined, 100]);
});

test("rows have logits of their own: what is done to one row's changes no other's", async () => {
  const { runner } = notingTree();
  const branches = await openBranches(runner, prompt, 2, { capacity: 3 });
  const [first, second] = await branches.prefill();
  first!.fill(5);
  expect(second!.every((x) => x === 0)).toBe(true);
});

test("a row that has ended is read once more, with its end token, and then no longer; one that is done at once", async () => {
  const { calls, runner } = notingTree();
  const done = new Set<number>();
  const branches = await openBranches(runner, prompt, 3, { capacity: 5 });
  const force = ({ row, step, logits }: RowState) =>
    logits.fill(10, 50 + 10 * row + step, 51 + 10 * row + step);
  const limits = {
    maxNewTokens: 5,
    endTokens: [51],
    processors: [force],
    isDone: (row: number) => done.has(row),
  };
  let steps = 0;
  for await (const tokens of sample(branches, { ...limits, seed: 0, topK: 1 })) {
    if (steps === 1) expect(tokens[0]).toEqual({ id: 51, finished: "end" });
    if (steps >= 2) expect(tokens[0]).toBeUndefined();
    if (steps >= 3) expect(tokens[2]).toBeUndefined();
    if (++steps === 3) done.add(2);
  }
  expect(steps).toBe(5);
  expect(calls.map((children) => children.map(({ token }) => token))).toEqual([
    [50, 60, 70],
    [51, 61, 71],
    [62],
    [63],
  ]);
});
