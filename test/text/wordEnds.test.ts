import { expect, test } from "vitest";
import { createWordEnds } from "../../src/text/wordEnds.js";

test.each([
  [["a</w>b</w>"], ["a b"], ""],
  [["a<", "/w", ">", "b"], ["a", "", "", " b"], ""],
  [["a <", "b </", "w", "x"], ["a", " <b", "", " </wx"], ""],
  [["</w>", " a ", " ", "b\u001c\u0085"], ["", "a", "", "  b"], ""],
  [["a\ufeff", " </w"], ["a\ufeff", ""], " </w"],
  [["<", "/w>", "a"], ["", "", "a"], ""],
])("%j is shown as %j, with %j at the end", (pieces, shown, rest) => {
  const wordEnds = createWordEnds();
  expect(pieces.map((piece) => wordEnds.push(piece))).toEqual(shown);
  expect(wordEnds.end()).toBe(rest);
});
