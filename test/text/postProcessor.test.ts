/**
 * Templates around a text, as transformers 4.57 and 5 write them; expected ids by the Rust library tokenizers 0.23.3.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTokenizer } from "../../src/text/tokenizer.js";
import { readJson } from "./files.js";

interface Templates {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly what: string;
    readonly processor: unknown;
    readonly ids: readonly number[][];
    /** Without what stands around. */
    readonly plain: readonly number[][];
    readonly cutTo4: readonly number[][];
  }[];
}

const { texts, cases }: Templates = JSON.parse(
  readFileSync(new URL("templates.json", import.meta.url), "utf8"),
);
const tokenizer = (processor: unknown) =>
  createTokenizer({
    ...readJson<object>("tokenizer/neox.tokenizer.json"),
    post_processor: processor,
  });

test.each(cases)("a template, $what: ids are the library's", ({ processor, ids, plain, cutTo4 }) => {
  const { encode, start, end } = tokenizer(processor);
  expect(texts.map((text) => encode(text))).toEqual(ids);
  expect(texts.map((text) => encode(text, { startAndEnd: false }))).toEqual(plain);
  expect(texts.map((text) => encode(text, { maxLength: 4 }))).toEqual(cutTo4);
  expect([...start, ...encode("a cat", { startAndEnd: false }), ...end]).toEqual(encode("a cat"));
});

describe("a template that is not understood is rejected with a specific error", () => {
  const text = { Sequence: { id: "A", type_id: 0 } };
  const token = { SpecialToken: { id: "<|endoftext|>", type_id: 0 } };
  const special = { "<|endoftext|>": { id: "<|endoftext|>", ids: [0], tokens: ["<|endoftext|>"] } };
  const template = (single: unknown, special_tokens: unknown = special) => ({
    type: "TemplateProcessing",
    single,
    pair: [],
    special_tokens,
  });
  test.each([
    ["no text", template([token]), "post_processor.single is not the text once"],
    ["two texts", template([text, text]), "post_processor.single is not the text once"],
    ["a text of another place", template([{ Sequence: { id: "B", type_id: 1 } }]), 'Sequence.id is "B"'],
    ["a piece that is nothing", template([text, {}]), "post_processor.single is not the text once"],
    ["a piece that is both", template([{ ...text, ...token }]), "post_processor.single is not the text once"],
    ["no list", template(text), "post_processor.single is {"],
    ["a token without ids", template([token, text], {}), "has a token that special_tokens lacks"],
    [
      "a token with another id",
      template([token, text], { "<|endoftext|>": { ...special["<|endoftext|>"], ids: [7] } }),
      'post_processor.special_tokens is "<|endoftext|>" with the id 7, which the vocabulary lacks',
    ],
    [
      "fewer tokens than ids",
      template([token, text], { "<|endoftext|>": { ...special["<|endoftext|>"], ids: [0, 1] } }),
      "has a token that special_tokens lacks",
    ],
    [
      "two that add tokens",
      { type: "Sequence", processors: [template([token, text]), template([text, token])] },
      "post_processor adds tokens twice",
    ],
    [
      "a sequence in a sequence",
      { type: "Sequence", processors: [{ type: "Sequence", processors: [] }] },
      'post_processor.processors[0].type is "Sequence"',
    ],
    ["another kind", { type: "BertProcessing", sep: ["a", 1], cls: ["a", 1] }, 'type is "BertProcessing"'],
  ])("%s", (_, processor, message) => {
    expect(() => tokenizer(processor)).toThrow(message);
  });
});
