/** Captions in every style say all that is known, and nothing else reads as one. */
import { expect, test } from "vitest";
import { caption, captionStyles, readCaption, styleOf } from "../../../../recipes/tiny/words/captions.js";
import { factsAt } from "../../../../recipes/tiny/words/corpus.js";
import { lexiconOf, sameFacts } from "../../../../recipes/tiny/words/facts.js";
import { thing, things } from "./things.js";

const lexicon = lexiconOf(things);
const facts = Array.from({ length: 3000 }, (_, i) => factsAt(things, 1, i));

test.each(captionStyles)("3000 captions in the style %s are read back", (style) => {
  for (const each of facts) {
    const text = caption(each, style);
    expect(styleOf(text), text).toBe(style);
    const read = readCaption(text, lexicon);
    expect(read?.style, text).toBe(style);
    expect(read && sameFacts(read.facts, each), text).toBe(true);
  }
});

test("a relation is said of the first thing, though it is that of the second", () => {
  const pair = {
    counted: [
      { thing: thing("snail"), count: 1 },
      { thing: thing("umbrella in the rain"), count: 1 },
    ],
  };
  expect(caption({ ...pair, relation: "right of" })).toBe("a snail to the left of an umbrella in the rain");
  expect(caption({ ...pair, relation: "below" })).toBe("a snail above an umbrella in the rain");
  expect(caption({ ...pair, relation: "right of" }, "bullets")).toBe(
    "- snail - umbrella in the rain (left to right)",
  );
});

test("how captions look", () => {
  const two = {
    counted: [
      { thing: thing("pizza"), count: 2 },
      { thing: thing("guitar"), count: 1 },
    ],
  };
  expect(captionStyles.map((style) => caption(two, style))).toEqual([
    "two pizzas and a guitar",
    "There are two pizzas and a guitar.",
    "photo of two pizzas and a guitar",
    "look, two pizzas and a guitar!",
    "I see two pizzas and a guitar.",
    "2x pizza, 1x guitar",
    "2 pizzas + 1 guitar",
    "- pizza - pizza - guitar",
  ]);
});

test.each([
  "",
  "pizza",
  "a pizzas",
  "one pizza",
  "two pizza",
  "an pizza",
  "There are a pizza.",
  "a dax",
  "a pizza and",
  "a pizza a guitar",
  "a snail to the left of a dax",
  "2x pizzas",
  "- pizza (upwards)",
  "a pizza\n",
])("%j is no caption", (text) => {
  expect(readCaption(text, lexicon)).toBeUndefined();
});
