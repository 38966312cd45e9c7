/** Texts as open_clip's tokenizer sees them; expected by Python's ftfy 6.3.1 and html. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repairedForClip } from "../../src/text/repair.js";

type Case = readonly [text: string, expected: string];
const { cases, mojibake }: { cases: readonly Case[]; mojibake: readonly Case[] } = JSON.parse(
  readFileSync(new URL("repair.json", import.meta.url), "utf8"),
);

test(`${cases.length} texts are repaired as open_clip does it`, () => {
  for (const [text, expected] of cases) {
    expect(repairedForClip(text), JSON.stringify(text)).toBe(expected);
  }
});

test("text that was read in a wrong encoding is left as it is: a difference that is documented", () => {
  const left = mojibake.filter(([text, expected]) => repairedForClip(text) !== expected);
  console.log(`${left.length} of ${mojibake.length} texts in a wrong encoding differ`);
  for (const [text] of mojibake) expect(repairedForClip(text)).toContain(text.toLowerCase().slice(0, 2));
});

test("a long text takes time in proportion", () => {
  const start = performance.now();
  for (const piece of ["&amp;", "&#38;", "\u2019", "&", "a ", "\n", "&ampamp;"])
    repairedForClip(piece.repeat(100_000));
  expect(performance.now() - start).toBeLessThan(3000);
});
