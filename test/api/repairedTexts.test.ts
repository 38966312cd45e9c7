/** Texts for `embed` are repaired before CLIP's tokenizer sees them. */
import { expect, test } from "vitest";
import { createClipTokenizer } from "../../src/api/embed.js";
import { readJson } from "../text/files.js";

test("typographic quotes, ligatures, full-width letters and HTML give the ids of the plain text", () => {
  const tower = { contextLength: 77, vocabulary: 1236 };
  const tokenizer = createClipTokenizer(
    "tokenizer.json",
    readJson("tokenizer/clip.tokenizer.json"),
    tower as never,
  );
  for (const [text, plain] of [
    ["\u201ca cat\u2019s toy\u201d", '"a cat\'s toy"'],
    ["a \ufb01ne \ufb02ower", "a fine flower"],
    ["Ｔｗｏ　ｄｏｇｓ", "two dogs"],
    ["cats &amp; dogs &lt;3", "cats & dogs <3"],
    ["a\r\ncat\u0007", "a cat"],
  ] as const) {
    expect(tokenizer(text), text).toEqual(tokenizer(plain));
  }
});
