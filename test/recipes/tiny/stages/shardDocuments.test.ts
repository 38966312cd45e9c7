/** Documents for the connectors with their images, where photographs and characters are at hand and where not. */
import { expect, test } from "vitest";
import { documentWithImages } from "../../../../recipes/tiny/stages/shardDocuments.js";
import { classesOf, type Sources } from "../../../../recipes/tiny/stages/sources.js";
import { imagesOf, withImageTokens } from "../../../../recipes/tiny/words/forms.js";
import { halves, madeThings } from "../world/made.js";

const side = 64;
const flat = (grey: number) => new Uint8Array(3 * side * side).fill(grey);
const kinds = ["cat", "golden retriever", "lakeside", "obelisk"];
const photographs = {
  train: kinds.flatMap((kind, i) =>
    [0, 1].map((j) => ({ pixels: flat(20 + 50 * i + j), kind, names: [kind] })),
  ),
  test: [],
};
const characters = ["Greek 1", "Greek 2", "Korean 1", "Korean 2"].flatMap((kind, i) =>
  [0, 1, 2].map((drawer) => ({
    pixels: flat(100 + 10 * i + drawer),
    kind,
    alphabet: kind.slice(0, -2),
    drawer,
  })),
);
const drawings: Sources = {
  ...{
    things: madeThings,
    sprites: halves([200, 10, 20], [10, 30, 200]),
    seed: 3,
    imageSize: side,
    patches: 8,
  },
  ...{
    photographs: { train: [], test: [] },
    characters: [],
    classes: classesOf(madeThings, { train: [], test: [] }),
  },
};
const all: Sources = { ...drawings, photographs, characters };
const documents = (sources: Sources) => Array.from({ length: 150 }, (_, i) => documentWithImages(sources, i));

test("each image of a document is drawn, and a document is the same each time", () => {
  for (const [i, made] of documents(all).entries()) {
    expect(made.images.length).toBe(imagesOf(made.document).length);
    expect(made.images.length).toBeGreaterThan(0);
    expect(made.images.length).toBeLessThanOrEqual(12);
    for (const image of made.images) expect(image.length).toBe(3 * side * side);
    const again = documentWithImages(all, i);
    expect(again.document).toEqual(made.document);
    expect(Buffer.concat(again.images).equals(Buffer.concat(made.images))).toBe(true);
  }
});

test("photographs have their names, or new ones; characters new ones alone, and their own pixels", () => {
  const texts = documents(all).map(({ document }) => withImageTokens(document));
  const named = texts.filter((text) =>
    /^(<image>Output:(a|an) (cat|golden retriever|lakeside|obelisk)<\|endofchunk\|>)+<\|endoftext\|>$/.test(
      text,
    ),
  );
  expect(named.length).toBeGreaterThan(5);
  const grey = (image: Uint8Array) => image.every((value) => value === image[0]);
  const ofCharacters = documents(all).filter(({ images }) =>
    images.every((image) => grey(image) && image[0]! >= 100 && image[0]! < 133),
  );
  expect(ofCharacters.length).toBeGreaterThan(2);
  for (const { document } of ofCharacters) {
    const text = withImageTokens(document);
    expect(text).not.toMatch(/Greek|Korean|cat|thing/);
    expect(new Set(document.choices).size).toBeGreaterThan(1);
  }
});

test("without them there are drawings alone", () => {
  for (const { document } of documents(drawings))
    expect(withImageTokens(document)).not.toMatch(/ (cat|obelisk)</);
});
