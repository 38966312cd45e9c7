/** Made-up names for training and for tests. */
import { expect, test } from "vitest";
import { namesFor } from "../../../../recipes/tiny/words/bindings.js";
import { nonsenseNames, wordsOf } from "../../../../recipes/tiny/words/nonsense.js";
import { recipeWords } from "../../../../recipes/tiny/words/recipeWords.js";
import { things } from "./things.js";

test("training and tests have no name in common, and enough of both", () => {
  const train = new Set(namesFor(things, "train"));
  const forTests = namesFor(things, "test");
  expect(train.size).toBeGreaterThan(1500);
  expect(forTests.length).toBeGreaterThan(400);
  expect(forTests.filter((name) => train.has(name))).toEqual([]);
});

test("no name is a word of the recipe, or one's singular", () => {
  const words = new Set(wordsOf([...things.map(({ name }) => name), ...recipeWords]));
  for (const split of ["train", "test"] as const) {
    expect(namesFor(things, split).filter((name) => words.has(name) || words.has(`${name}s`))).toEqual([]);
  }
  expect(nonsenseNames("train", ["bab"])).not.toContain("bab");
  expect(nonsenseNames("train", [])).toContain("bab");
});

test("other words take names away and move none to the other split", () => {
  const before = new Set(nonsenseNames("train", []));
  expect(nonsenseNames("train", ["bab", "gal"]).every((name) => before.has(name))).toBe(true);
});
