/** Answers from tokens: what they are, and that nothing is computed for one that is complete. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { collectAnswers, generatePieces, type Settings } from "../../src/generate/answers.js";
import type { ModelRunner } from "../../src/runner/modelRunner.js";
import type { TreeNode } from "../../src/runner/tokenTree.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { randomModelFolder } from "../goldens.js";

const file = JSON.parse(readFileSync(join(randomModelFolder, "lang/tokenizer.json"), "utf8"));
const tokenizer = createFlamingoTokenizer(file);
const tokenOf = (text: string) => tokenizer.encode(text, { specialTokens: false, startAndEnd: false })[0]!;
const [x, stop] = [tokenOf("x"), tokenOf(".")];

/** A runner whose logits are flat, and the tokens that it was given, call by call. */
function notingRunner() {
  const calls: number[][] = [];
  const note = (tokens: readonly number[]) => {
    calls.push([...tokens]);
    return tokens.map(() => new Float32Array(tokenizer.size));
  };
  const first = () => new Float32Array(tokenizer.size);
  const runner = {
    tokenTree: async () => ({
      prefill: async () => first(),
      add: async (children: readonly TreeNode[]) => note(children.map(({ token }) => token)),
      clear: () => {},
      close: () => {},
    }),
    decoder: async (prompts: readonly unknown[]) => ({
      prompts,
      prefill: async () => prompts.map(first),
      step: async (tokens: readonly number[]) => note(tokens),
      close: () => {},
    }),
  } as unknown as ModelRunner;
  return { calls, runner };
}

/** Generates with tokens that are forced on each row, a list of steps each. */
async function answersOf(forced: readonly (readonly number[])[], settings: Partial<Settings> = {}) {
  const { calls, runner } = notingRunner();
  const all: Settings = {
    strategy: { kind: "sample", seed: 0, topK: 1 },
    maxNewTokens: 5,
    processing: {
      processors: [
        ({ row, step, logits }) => {
          logits[forced[row]![step]!] = 10;
        },
      ],
    },
    stop: [],
    returnSequences: forced.length,
    logProbs: false,
    signal: undefined,
    ...settings,
  };
  const prompt = { ids: [x], images: [] };
  const answers = await collectAnswers(generatePieces(runner, tokenizer, prompt, all), all);
  return { answers, calls };
}

const end = tokenizer.special.endOfChunk;

test("an answer that has ended, or was cut at a stop string, is no longer computed", async () => {
  const rows = [
    [x, end],
    [x, x, x, x, x],
    [x, stop, x, x, x],
  ];
  const { answers, calls } = await answersOf(rows, { stop: ["."] });
  expect(answers).toEqual([
    { text: "x", ids: [x, end], finishReason: "endofchunk" },
    { text: "xxxxx", ids: [x, x, x, x, x], finishReason: "length" },
    { text: "x", ids: [x, stop], finishReason: "stop" },
  ]);
  expect(calls).toEqual([[x, x, x], [x], [x], [x]]);
});

test("one answer is decoded without a tree, and stops as soon as it is complete", async () => {
  const { answers, calls } = await answersOf([[x, stop, x, x, x]], { stop: ["."] });
  expect(answers).toEqual([{ text: "x", ids: [x, stop], finishReason: "stop" }]);
  expect(calls).toEqual([[x]]);
});

test("the model does not write <image>, whatever is most probable", async () => {
  const forced = [
    [
      tokenizer.special.image,
      tokenizer.special.image,
      tokenizer.special.image,
      tokenizer.special.image,
      tokenizer.special.image,
    ],
  ];
  for (const strategy of [{ kind: "greedy" }, { kind: "beam", beams: 2 }] as const) {
    const { answers } = await answersOf([forced[0]!, forced[0]!], { strategy, returnSequences: 1 });
    expect(answers[0]!.ids).toHaveLength(5);
    expect(answers[0]!.ids).not.toContain(tokenizer.special.image);
  }
});

test("no new tokens: empty answers, and no work", async () => {
  const { answers, calls } = await answersOf([[], []], { maxNewTokens: 0 });
  const empty = { text: "", ids: [], finishReason: "length" };
  expect(answers).toEqual([empty, empty]);
  expect(calls).toEqual([]);
});
