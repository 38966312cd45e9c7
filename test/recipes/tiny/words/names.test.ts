/** Articles and plurals of names that follow no simple rule. */
import { expect, test } from "vitest";
import { counted, pluralOf, withArticle } from "../../../../recipes/tiny/words/names.js";
import { things } from "./things.js";

test.each([
  ["pizza", "a pizza"],
  ["umbrella in the rain", "an umbrella in the rain"],
  ["unicorn", "a unicorn"],
  ["ewe", "a ewe"],
  ["euro banknote", "a euro banknote"],
  ["hourglass", "an hourglass"],
  ["house", "a house"],
  ["x-ray", "an x-ray"],
  ["t-shirt", "a t-shirt"],
  ["yo-yo", "a yo-yo"],
  ["scissors", "some scissors"],
  ["cooked rice", "some cooked rice"],
  ["skis", "some skis"],
  ["nest with eggs", "a nest with eggs"],
  ["glass of milk", "a glass of milk"],
  ["octopus", "an octopus"],
  ["abacus", "an abacus"],
  ["dress", "a dress"],
])("the article of %s: %s", (name, phrase) => {
  expect(withArticle(name)).toBe(phrase);
});

test.each([
  ["pizza", "pizzas"],
  ["bread", "loaves of bread"],
  ["ballet shoes", "ballet shoes"],
  ["skis", "skis"],
  ["fluttering leaf", "fluttering leaves"],
  ["sheaf of rice", "sheaves of rice"],
  ["nest with eggs", "nests with eggs"],
  ["snowman in the snow", "snowmen in the snow"],
  ["fork and knife", "forks and knives"],
  ["hammer and wrench", "hammers and wrenches"],
  ["set of bowling pins", "sets of bowling pins"],
  ["computer mouse", "computer mice"],
  ["goose", "geese"],
  ["ox", "oxen"],
  ["game die", "game dice"],
  ["fish", "fish"],
  ["moose", "moose"],
  ["volcano", "volcanoes"],
  ["flamingo", "flamingos"],
  ["butterfly", "butterflies"],
  ["monkey", "monkeys"],
  ["octopus", "octopuses"],
  ["wolf", "wolves"],
  ["scarf", "scarves"],
  ["treble clef", "treble clefs"],
  ["giraffe", "giraffes"],
  ["church", "churches"],
  ["clock at half past two", "clocks at half past two"],
  ["row of houses", "rows of houses"],
])("the plural of %s: %s", (name, plural) => {
  expect(pluralOf(name)).toBe(plural);
});

test("no phrase stands for two things or for two numbers of one", () => {
  const phrases = things.flatMap(({ name }) => [1, 2, 3, 4].map((count) => counted(name, count)));
  expect(new Set(phrases).size).toBe(4 * things.length);
});
