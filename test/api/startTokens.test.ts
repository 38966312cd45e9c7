/** A tokenizer whose template puts tokens around a text: once around a prompt, however many segments it has. */
import { expect, test } from "vitest";
import { captionPrompt, contentOf, idsOf } from "../../src/api/prompt.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { readJson } from "../text/files.js";

const token = { SpecialToken: { id: "<|endoftext|>", type_id: 0 } };
const template = {
  type: "TemplateProcessing",
  single: [token, { Sequence: { id: "A", type_id: 0 } }],
  pair: [],
  special_tokens: { "<|endoftext|>": { id: "<|endoftext|>", ids: [0], tokens: ["<|endoftext|>"] } },
};

test("a start token stands before the whole prompt, given as a list, a template or segments", () => {
  const json = readJson<object>("tokenizer/neox.tokenizer.json");
  const plain = createFlamingoTokenizer(json);
  const withStart = createFlamingoTokenizer({ ...json, post_processor: template });
  const shots = [{ image: "a.png", text: "A cat." }];
  const list = [{ image: "a.png" }, "A cat.", { image: "b.png" }, "Output:"];
  const text = "<image>A cat.<|endofchunk|><image>Output:";
  const prompts = [
    contentOf(list as never, undefined),
    contentOf(text, ["a.png", "b.png"]),
    captionPrompt("b.png", { shots }), // in segments
  ];
  for (const prompt of prompts) {
    const ids = idsOf(plain, prompt);
    expect(idsOf(withStart, prompt)).toEqual([0, ...ids]);
    expect(ids).not.toContain(0);
  }
});
