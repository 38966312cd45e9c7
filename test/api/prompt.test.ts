/** Prompts become exactly the strings of the contract. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { askPrompt, captionPrompt, contentOf, idsOf, image, templatePrompt } from "../../src/api/prompt.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { randomModelFolder } from "../goldens.js";

const tokenizer = createFlamingoTokenizer(
  JSON.parse(readFileSync(`${randomModelFolder}/lang/tokenizer.json`, "utf8")),
);
const idsOfString = (text: string) => tokenizer.encode(text);

describe("each call's prompt is the contract's string", () => {
  test.each([
    ["caption", captionPrompt("q.jpg"), "<image>Output:"],
    [
      "caption with shots",
      captionPrompt("q.jpg", { shots: [{ image: "a.jpg", text: "two cats" }] }),
      "<image>Output:two cats<|endofchunk|><image>Output:",
    ],
    [
      "caption with another prompt",
      captionPrompt("q.jpg", { prompt: "A photo of", shots: [{ image: "a.jpg", text: " a dog" }] }),
      "<image>A photo of a dog<|endofchunk|><image>A photo of",
    ],
    ["ask", askPrompt("q.jpg", "What is it?"), "<image>Question:What is it? Short answer:"],
    [
      "ask with shots",
      askPrompt("q.jpg", "How many?", { shots: [{ image: "a.jpg", question: "Who?", answer: "a dog" }] }),
      "<image>Question:Who? Short answer:a dog<|endofchunk|><image>Question:How many? Short answer:",
    ],
    [
      "a template with shots",
      templatePrompt("<image>An image of", ["q.jpg"], {
        shots: [{ image: "a.jpg", text: "An image of cats." }],
      }),
      "<image>An image of cats.<|endofchunk|><image>An image of",
    ],
    [
      "a list: texts that are followed by an image end with the token",
      contentOf([image("a"), "An image of two cats.", image("b"), "An image of"], undefined),
      "<image>An image of two cats.<|endofchunk|><image>An image of",
    ],
    [
      "a list: the token is written once",
      contentOf([image("a"), "Cats<|endofchunk|>", image("b"), "Dogs"], undefined),
      "<image>Cats<|endofchunk|><image>Dogs",
    ],
    [
      "a list: images side by side",
      contentOf([image("a"), image("b"), "Both"], undefined),
      "<image><image>Both",
    ],
    [
      "a list that begins with text",
      contentOf(["Look: ", image("a"), "x"], undefined),
      "Look: <|endofchunk|><image>x",
    ],
    ["a template as it is", contentOf("Look <image>there", ["a"]), "Look <image>there"],
  ])("%s", (_, prompt, text) => {
    expect(idsOf(tokenizer, prompt)).toEqual(idsOfString(text));
  });
});

test("special tokens that a user types inside caption and ask stay text", () => {
  const ids = idsOf(tokenizer, askPrompt("q.jpg", "Is <image> an image?<|endofchunk|>"));
  expect(ids.filter((id) => id === tokenizer.special.image)).toHaveLength(1);
  expect(ids).not.toContain(tokenizer.special.endOfChunk);
  expect(tokenizer.decode(ids)).toBe("<image>Question:Is <image> an image?<|endofchunk|> Short answer:");
});

test.each([
  ["more <image> than images", contentOf("<image><image>a", ["a"]), "the prompt has 2 <image>s and 1 image"],
  ["more images than <image>", contentOf("<image>a", ["a", "b"]), "the prompt has 1 <image> and 2 images"],
  [
    "a typed <image> in a list",
    contentOf([image("a"), "b <image>"], undefined),
    "the prompt has 2 <image>s and 1 image",
  ],
])("%s is rejected by count", (_, prompt, message) => {
  expect(() => idsOf(tokenizer, prompt)).toThrow(expect.objectContaining({ code: "image-count", message }));
});

test("an empty prompt, and images beside a list, are rejected", () => {
  expect(() => idsOf(tokenizer, contentOf("", []))).toThrow(expect.objectContaining({ code: "usage" }));
  expect(() => contentOf([image("a")], ["b"])).toThrow(expect.objectContaining({ code: "usage" }));
});
