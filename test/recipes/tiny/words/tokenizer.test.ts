/** The tokenizer that the recipe trains: the same each time, read by `src/text`, with names in few tokens. */
import { expect, test } from "vitest";
import { textAt } from "../../../../recipes/tiny/words/corpus.js";
import { tokenizerConfig, tokenizerJson } from "../../../../recipes/tiny/words/tokenizer/files.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { trainMerges } from "../../../../recipes/tiny/words/tokenizer/train.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { named, things } from "./things.js";

const json = trainTokenizer({ things, seed: 1, size: 900, texts: 400 });
const tokenizer = createFlamingoTokenizer(json, { tokenizerConfig: tokenizerConfig(1024) });

test("ids: the file's special tokens first, those of a Flamingo last", () => {
  expect(tokenizer.size).toBe(900);
  expect([tokenizer.idOf("<|endoftext|>"), tokenizer.idOf("<|padding|>"), tokenizer.idOf("!")]).toEqual([
    0, 1, 2,
  ]);
  expect(tokenizer.special).toEqual({ endOfChunk: 897, image: 898, padding: 899 });
});

test("the same arguments give the same file", () => {
  expect(JSON.stringify(trainTokenizer({ things, seed: 1, size: 900, texts: 400 }))).toBe(
    JSON.stringify(json),
  );
});

test("texts of the recipe and any others are decoded to what they were", () => {
  for (let i = 0; i < 100; i++) {
    const text = textAt({ things, seed: 9 }, i);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  }
  for (const text of ["A Sentence, never seen: 3×4 = 12!", "naïve 蝸牛 🐌 \t\n", " \ufffd"]) {
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  }
});

test("a name has the same tokens in a caption, in an answer and behind the thing it names", () => {
  const one = tokenizer.encode(" pizza");
  for (const before of ["Output:a", "two snails and a", "<image>", " snail", "Short answer:a"]) {
    expect(tokenizer.encode(`${before} pizza`)).toEqual([...tokenizer.encode(before), ...one]);
  }
});

test("most words of names are one token, most made-up names two", () => {
  const words = [...new Set(named.flatMap(({ name }) => name.split(" ")))];
  const single = words.filter((word) => tokenizer.encode(` ${word}`).length === 1).length;
  expect(single / words.length).toBeGreaterThan(0.9);
  const lengths = ["dax", "bab", "wezi", "soso", "bak"].map((name) => tokenizer.encode(` ${name}`).length);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(3);
  expect(tokenizer.encode(" wezi")).not.toHaveLength(1);
});

test("the most frequent pair is merged first, and of equal ones the first by letters", () => {
  const words = new Map([
    ["abab", 2],
    ["cd", 3],
    ["ef", 3],
    ["abc", 1],
  ]);
  const { merges } = trainMerges(words, 4);
  expect(merges).toEqual([
    ["a", "b"], // 5
    ["c", "d"], // 3, as "e f"
    ["e", "f"],
    ["ab", "ab"], // 2
  ]);
  expect(trainMerges(new Map([...words].reverse()), 4).merges).toEqual(merges);
  expect(trainMerges(words, 100).merges).toHaveLength(5);
  expect(createFlamingoTokenizer(tokenizerJson(trainMerges(words, 4))).encode("ababcd")).toHaveLength(2);
});
