/** Documents: what they bind, what they show, and what training makes of them. */
import { expect, test } from "vitest";
import { namesFor } from "../../../../recipes/tiny/words/bindings.js";
import { readCaption, styleOf } from "../../../../recipes/tiny/words/captions.js";
import { factsAt } from "../../../../recipes/tiny/words/corpus.js";
import {
  bindingKinds,
  type Document,
  type DocumentOptions,
  documentKinds,
} from "../../../../recipes/tiny/words/document.js";
import { documentAt } from "../../../../recipes/tiny/words/documents.js";
import { lexiconOf, sameFacts } from "../../../../recipes/tiny/words/facts.js";
import { asText, partsOf, queryOf } from "../../../../recipes/tiny/words/forms.js";
import { named, things } from "./things.js";

type Options = Omit<DocumentOptions<number>, "things" | "seed" | "sceneAt">;

/** A scene is its own number here. */
const at = (options: Options): Document<number> =>
  documentAt({
    ...options,
    ...{ things, seed: 5, sceneAt: (scene) => ({ scene, facts: factsAt(named, 5, scene) }) },
  });
const many = (options: Omit<Options, "index">, count = 300) =>
  Array.from({ length: count }, (_, index) => at({ ...options, index }));

const thingOf = ({ chunks }: Document<number>, i: number): string => {
  const { shown, words } = chunks[i]!;
  const name = words.replace(/^ |[()]/g, "");
  if (shown.kind === "thing") expect(shown.thing.name).toBe(name);
  return name;
};

test.each(bindingKinds)("%s: a name stands for one thing, and a thing has one name", (kind) => {
  for (const split of ["train", "test"] as const) {
    for (const document of many({ kind, split })) {
      const { chunks, choices } = document;
      expect(chunks.length).toBeGreaterThanOrEqual(4);
      expect(chunks.length).toBeLessThanOrEqual(12);
      const pairs = new Set(chunks.map(({ answer }, i) => `${thingOf(document, i)}/${answer}`));
      expect(new Set(chunks.map(({ answer }) => answer)).size).toBe(pairs.size);
      expect(new Set(chunks.map((_, i) => thingOf(document, i))).size).toBe(pairs.size);
      // The last one was named before.
      expect(chunks.slice(0, -1).map(({ answer }) => answer)).toContain(chunks.at(-1)!.answer);
      expect(choices).toContain(chunks.at(-1)!.answer);
      expect(new Set(choices!.map((name) => name.replace(/^a? /, "")[0])).size).toBe(choices!.length);
    }
  }
});

test.each(bindingKinds)("%s: what is shown as an image", (kind) => {
  let [images, all] = [0, 0];
  for (const { chunks } of many({ kind, split: "test" })) {
    const isImage = chunks.map(({ shown }) => shown.kind === "thing");
    const before = isImage.slice(0, -1);
    if (kind === "mixed") expect(isImage).toContain(true);
    if (kind === "text-text") expect(isImage).not.toContain(true);
    if (kind === "image-image") expect(isImage).not.toContain(false);
    if (kind === "image-query") expect([isImage.at(-1), before.includes(true)]).toEqual([true, false]);
    if (kind === "text-query") expect([isImage.at(-1), before.includes(false)]).toEqual([false, false]);
    images += isImage.filter((each) => each).length;
    all += isImage.length;
  }
  if (kind === "mixed") {
    expect(images / all).toBeGreaterThan(0.3);
    expect(images / all).toBeLessThan(0.45);
  }
});

test("in training several queries follow, each for a thing that was named", () => {
  const counts = many({ kind: "image-query" }).map(({ chunks }) => {
    const first = chunks.findIndex(({ shown }) => shown.kind === "thing");
    const before = chunks.slice(0, first).map(({ answer }) => answer);
    const queries = chunks.slice(first);
    for (const { shown, answer } of queries) {
      expect(shown.kind).toBe("thing");
      expect(before).toContain(answer);
    }
    return queries.length;
  });
  expect(Math.max(...counts)).toBeGreaterThan(3);
});

test("shots and ways are as asked for, and every thing is shown equally often in tests", () => {
  for (const document of many(
    { kind: "image-image", split: "test", shots: 8, ways: 2, form: "direct" },
    100,
  )) {
    expect(document.chunks).toHaveLength(9);
    const answers = document.chunks.slice(0, -1).map(({ answer }) => answer);
    expect(document.choices!.map((choice) => answers.filter((each) => each === choice).length)).toEqual([
      4, 4,
    ]);
  }
  const none = at({ kind: "image-image", split: "test", shots: 0, ways: 2, index: 0 });
  expect(none.chunks).toHaveLength(1);
  expect(none.choices).toContain(none.chunks[0]!.answer);
});

test("more queries than chunks are all chunks, of the one thing that is named", () => {
  const { chunks } = at({ kind: "image-query", shots: 3, ways: 2, queries: 9, index: 0 });
  expect(chunks.map(({ shown }) => shown.kind)).toEqual(["thing", "thing", "thing", "thing"]);
});

test("names of tests are never said in training, nor things that are never named", () => {
  const unnamed = things.filter(({ isNamed }) => !isNamed).map(({ name }) => name);
  const forTests = new Set(namesFor(things, "test"));
  for (const kind of documentKinds) {
    for (const document of many({ kind }, 100)) {
      const words = asText(document).match(/[\p{L}]+/gu)!;
      expect(words.filter((word) => forTests.has(word))).toEqual([]);
      const text = asText(document);
      const said = unnamed.filter((name) => new RegExp(`[ (]${name}[.,)<]`).test(text));
      // "(to the left of a) dog" is a name in a longer one: only whole ones count.
      expect(said).toEqual([]);
    }
  }
  for (const { chunks } of many({ kind: "image-image", split: "test" }, 50)) {
    expect(chunks.every(({ shown }) => shown.kind === "thing" && !shown.thing.isNamed)).toBe(true);
  }
});

test("captions of a document have one style, and say what is in their scenes", () => {
  const lexicon = lexiconOf(things);
  const styles = many({ kind: "styles" }).map(({ chunks }) => {
    for (const { shown, answer } of chunks) {
      const read = readCaption(answer, lexicon)!;
      expect(shown.kind === "scene" && sameFacts(factsAt(named, 5, shown.scene), read.facts)).toBe(true);
    }
    const [style, ...others] = new Set(chunks.map(({ answer }) => styleOf(answer)));
    expect(others).toEqual([]);
    return style;
  });
  expect(new Set(styles).size).toBe(8);
  for (const { chunks } of many({ kind: "caption" }, 50)) expect(styleOf(chunks[0]!.answer)).toBe("plain");
});

test("prompts are those of the commands", () => {
  for (const document of many({ kind: "questions" }, 50)) {
    for (const { answer } of document.chunks) expect(answer).toMatch(/^[a-z]/);
    expect(queryOf(document).prompt).toMatch(
      /^(?:<image>Question:[^<]+[?.] Short answer:[^<]+<\|endofchunk\|>)*<image>Question:[^<]+[?.] Short answer:$/,
    );
  }
  for (const document of many({ kind: "caption" }, 20)) {
    const { prompt, images } = queryOf(document);
    expect(prompt).toBe("<image>Output:");
    expect(images).toHaveLength(1);
  }
});

test("a document depends on nothing but its options, and no two take the same scenes", () => {
  for (const kind of documentKinds) {
    expect(at({ kind, index: 7 })).toEqual(at({ kind, index: 7 }));
    expect(asText(at({ kind, index: 7 }))).not.toBe(asText(at({ kind, index: 8 })));
  }
  const scenes = many({ kind: "styles" }).flatMap((document) =>
    partsOf(document).flatMap((part) => ("scene" in part ? [part.scene] : [])),
  );
  expect(new Set(scenes).size).toBe(scenes.length);
});
