/** The language model's text, and rows of tokens of it. */
import { expect, test } from "vitest";
import { factsAt, packRows, textAt, textMixture } from "../../../../recipes/tiny/words/corpus.js";
import { lexiconOf } from "../../../../recipes/tiny/words/facts.js";
import { sentencesAt } from "../../../../recipes/tiny/words/sentences.js";
import { trainTokenizer } from "../../../../recipes/tiny/words/tokenizer/index.js";
import { createFlamingoTokenizer } from "../../../../src/text/flamingoTokens.js";
import { named, things } from "./things.js";

const corpus = { things, seed: 3 };
const tokenizer = createFlamingoTokenizer(trainTokenizer({ things, seed: 1, size: 600, texts: 50 }));

test("texts end as prompts and training texts do, and hold no image", () => {
  for (let i = 0; i < 200; i++) {
    const text = textAt(corpus, i);
    expect(text).toMatch(/(?:<\|endofchunk\|>|\.)<\|endoftext\|>$/);
    expect(text).not.toContain("<image>");
    expect(text.length).toBeGreaterThan(250);
    expect(text.length).toBeLessThan(3000); // twenty chunks, rather long ones
  }
});

test("a row is the same whichever rows are asked for with it", () => {
  const all = packRows(tokenizer, corpus, { first: 0, rows: 4, length: 64 });
  const third = packRows(tokenizer, corpus, { first: 2, rows: 1, length: 64 });
  expect(third.ids).toEqual(all.ids.slice(128, 192));
  expect(tokenizer.decode([...third.ids])).not.toBe(tokenizer.decode([...all.ids.slice(0, 64)]));
});

test("a row begins with a text, and what fills it has no weight", () => {
  const { ids, weights } = packRows(tokenizer, corpus, { first: 5, rows: 1, length: 20_000 });
  const filled = weights.reduce((sum, each) => sum + each);
  expect(textAt(corpus, 80)).toBe(tokenizer.decode([...ids]).slice(0, textAt(corpus, 80).length));
  expect(filled).toBeLessThan(20_000);
  expect([...ids.slice(filled)].every((id) => id === tokenizer.special.padding)).toBe(true);
  expect([...ids.slice(0, filled)]).not.toContain(tokenizer.special.padding);
  expect([...weights.slice(0, filled)]).not.toContain(0);
});

test("a mixture of one kind has no other, and facts from outside are used", () => {
  const none = Object.fromEntries(Object.keys(textMixture).map((kind) => [kind, 0])) as typeof textMixture;
  const text = textAt(
    {
      ...corpus,
      mixture: { ...none, caption: 1 },
      factsAt: () => ({ counted: [{ thing: named[0]!, count: 3 }] }),
    },
    0,
  );
  expect(text.split("<|endoftext|>").slice(0, -1)).toSatisfy((texts: string[]) =>
    texts.every((each) => each.endsWith("Output:three snails<|endofchunk|>")),
  );
});

test("facts have one to four things, each with its name once", () => {
  const seen = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const { counted, relation } = factsAt(named, 1, i);
    const total = counted.reduce((sum, { count }) => sum + count, 0);
    expect(new Set(counted.map(({ thing }) => thing.name)).size).toBe(counted.length);
    if (relation) expect([counted.length, total]).toEqual([2, 2]);
    seen.add(total);
  }
  expect([...seen].sort()).toEqual([1, 2, 3, 4]);
});

test("sentences say only what is so", () => {
  const { byOne } = lexiconOf(named);
  const words = {
    nature: "animals",
    food: "food",
    travel: "places",
    activity: "activities",
    object: "objects",
  };
  const sizes = ["ant", "snail", "egg", "mouse", "cat", "dog", "bus", "house", "church"];
  const text = Array.from({ length: 200 }, (_, i) => sentencesAt(named, 4, i)).join(" ");
  let [groups, compared] = [0, 0];
  for (const [, said, group] of text.matchAll(/(?<=^|\. )([^.:]+) belongs? to (\w+)\./g)) {
    expect(byOne.get(said!.toLowerCase())?.group, said).toBe(words[group as keyof typeof words]);
    groups++;
  }
  for (const [, a, relation, b] of text.matchAll(/An? (\w+) is (smaller|bigger) than an? (\w+)\./g)) {
    expect(sizes.indexOf(a!) < sizes.indexOf(b!), `${a} ${relation} ${b}`).toBe(relation === "smaller");
    compared++;
  }
  expect(groups).toBeGreaterThan(200);
  expect(compared).toBeGreaterThan(50);
});
