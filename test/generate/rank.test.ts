/**
 * Ranking beside the reference implementation's: `rank_classification.json` of a tiny model, `use_cache: false`
 * (goldens/README.md).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rank } from "../../src/generate/rank.js";
import type { TokenTree, TreeNode, TreeOptions } from "../../src/runner/tokenTree.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { compared } from "../parity.js";
import { onBackends, type TinyModel, tinyModelsWith } from "../tinyModel.js";

interface RankCase {
  readonly name: string;
  readonly pictures: readonly (readonly string[])[];
  readonly prompts: readonly string[];
  readonly class_tokens: readonly (readonly number[])[];
  readonly results: readonly {
    readonly use_cache: boolean;
    readonly normalize_length: boolean;
    readonly logprobs: readonly (readonly number[])[];
  }[];
}

const tinyModels = onBackends(tinyModelsWith("rank_classification.json", "ranking"));
describe.each(tinyModels)("$name on $backend", (golden) => {
  const { cases } = golden.goldenJson<{ cases: RankCase[] }>("rank_classification.json");
  const file = JSON.parse(readFileSync(join(golden.folder, "lang/tokenizer.json"), "utf8"));
  const tokenizer = createFlamingoTokenizer(file);
  let tinyModel: TinyModel;
  beforeAll(async () => {
    tinyModel = await golden.open();
  });
  afterAll(() => tinyModel.close());

  test.each(cases)("$name", async ({ prompts, pictures: images, class_tokens: answers, results }) => {
    let largest = 0;
    let values = 0;
    for (const [row, text] of prompts.entries()) {
      const prompt = {
        ids: tokenizer.encode(text),
        images: await Promise.all(images[row]!.map((image) => tinyModel.image(image))),
      };
      for (const { normalize_length: normalize, logprobs } of results.filter((each) => !each.use_cache)) {
        const found = await rank(tinyModel.runner, prompt, answers, { normalize });
        const reference = logprobs[row]!;
        found.forEach((value, i) => {
          largest = Math.max(largest, Math.abs(value - reference[i]!));
          values++;
        });
        expect(orderOf(found)).toEqual(orderOf(reference));
      }
    }
    const of = { largest, bound: 1e-4, backend: golden.backend };
    compared(`ranking/log-probabilities/${golden.name}`, { cases: 1, values, ...of });
    expect(largest).toBeLessThan(of.bound);
  });

  test("many answers with common beginnings, in several chunks, are what each is alone", async () => {
    const prompt = { ids: tokenizer.encode("<image>Output:"), images: [await tinyModel.image("p0")] };
    // Ids below those of the special tokens.
    const id = (n: number) => n % golden.ids.endofchunk;
    const answers = Array.from({ length: 150 }, (_, i) =>
      [40 + (i % 3), 50 + (i % 7), 60 + i, 70 + (i % 5), 80].map(id).slice(0, 1 + (i % 5)),
    );
    const together = await rank(tinyModel.runner, prompt, answers);
    for (const i of [0, 1, 17, 50, 99, 149]) {
      const [alone] = await rank(tinyModel.runner, prompt, [answers[i]!]);
      expect(together[i]).toBeCloseTo(alone!, 4);
    }
  });
});

/** Answers, best first; equal ones (the same answer twice) in their order. */
const orderOf = (values: readonly number[]): readonly number[] =>
  [...values.keys()].sort((a, b) =>
    Math.abs(values[a]! - values[b]!) < 1e-6 ? a - b : values[b]! - values[a]!,
  );

test("tokens that answers share are read once, and last tokens never", async () => {
  const read: TreeNode[] = [];
  let capacity: TreeOptions | undefined;
  const tree: TokenTree = {
    prefill: async () => new Float32Array(10),
    add: async (children) => {
      read.push(...children);
      return children.map(() => new Float32Array(10));
    },
    clear: () => {},
    close: () => {},
  };
  const runner = {
    tokenTree: async (_: unknown, asked: TreeOptions) => {
      capacity = asked;
      return tree;
    },
  };
  const answers = [[1, 2, 3], [4], [1, 2, 5, 6], [1, 2, 3]];
  const found = await rank(runner, { ids: [0], images: [] }, answers, { normalize: false });
  expect(read).toEqual([
    { parent: -1, token: 1 },
    { parent: 0, token: 2 },
    { parent: 1, token: 5 },
  ]);
  expect(capacity).toMatchObject({ depth: 3 });
  expect(capacity!.nodes).toBeGreaterThanOrEqual(3);
  expect(found.map((sum) => sum / Math.log(10))).toEqual([-3, -1, -4, -3].map((x) => expect.closeTo(x, 5)));
});

test("very many answers are read in pieces of bounded size, and none is left out", async () => {
  const answers = Array.from({ length: 200_000 }, (_, i) => [1 + (i % 7), i % 1000, 5].slice(0, 1 + (i % 3)));
  let capacity: TreeOptions | undefined;
  let [nodes, most] = [0, 0];
  const tree: TokenTree = {
    prefill: async () => new Float32Array(1000),
    add: async (children) => {
      nodes += children.length;
      most = Math.max(most, nodes);
      return children.map(() => new Float32Array(1000));
    },
    clear: () => {
      nodes = 0;
    },
    close: () => {},
  };
  const tokenTree = async (_: unknown, asked: TreeOptions) => {
    capacity = asked;
    return tree;
  };
  const found = await rank({ tokenTree }, { ids: [0], images: [] }, answers);
  expect(most).toBeLessThanOrEqual(capacity!.nodes);
  expect(capacity!.nodes).toBeLessThan(70);
  expect(found).toHaveLength(answers.length);
  for (const score of found) expect(score).toBeCloseTo(-Math.log(1000), 5);
});
