import { describe, expect, test } from "vitest";
import { contrastOf } from "../../../../recipes/tiny/world/backdrop.js";
import { relationBetween } from "../../../../recipes/tiny/world/facts.js";
import { isHeldOut } from "../../../../recipes/tiny/world/heldOut.js";
import { extentOf } from "../../../../recipes/tiny/world/layout.js";
import {
  furtherStyles,
  outlinedNames,
  type Placed,
  relations,
  type Scene,
  trainedStyles,
} from "../../../../recipes/tiny/world/scene.js";
import { countedOf, relationOf, type SceneOptions, sceneAt } from "../../../../recipes/tiny/world/scenes.js";
import { madeThings } from "./made.js";

const scenesOf = (split: "train" | "test", count = 1500, more: Partial<SceneOptions> = {}): Scene[] =>
  Array.from({ length: count }, (_, index) =>
    sceneAt({ things: madeThings, seed: 3, index, split, ...more }),
  );
const train = scenesOf("train");
const test_ = scenesOf("test");
const all = [...train, ...test_];

const kindsOf = (scene: Scene) => countedOf(scene).map(({ thing }) => thing);
const pairsOf = (scene: Scene) => {
  const kinds = kindsOf(scene);
  return kinds.flatMap((a, i) => kinds.slice(i + 1).map((b) => [a, b] as const));
};

describe("composing", () => {
  test("the same seed and index give the same scene, another index or seed another one", () => {
    expect(scenesOf("train", 50)).toEqual(train.slice(0, 50));
    expect(scenesOf("train", 50, { seed: 4 })).not.toEqual(train.slice(0, 50));
    expect(new Set(train.map((scene) => JSON.stringify(scene))).size).toBe(train.length);
  });

  test("a pair that stands in a scene for testing stands in none for training", () => {
    const names = (scenes: Scene[]) =>
      new Set(scenes.flatMap(pairsOf).map(([a, b]) => [a.name, b.name].sort().join("|")));
    const [inTrain, inTest] = [names(train), names(test_)];
    expect(inTrain.size).toBeGreaterThan(500);
    expect(inTest.size).toBeGreaterThan(300);
    expect([...inTest].filter((pair) => inTrain.has(pair))).toEqual([]);
  });

  test("a tenth of all pairs is held out, in whichever order they are named", () => {
    const pairs = madeThings.flatMap((a, i) => madeThings.slice(i + 1).map((b) => [a, b] as const));
    const held = pairs.filter(([a, b]) => isHeldOut(a, b));
    expect(held.length / pairs.length).toBeGreaterThan(0.09);
    expect(held.length / pairs.length).toBeLessThan(0.11);
    expect(held.every(([a, b]) => isHeldOut(b, a))).toBe(true);
  });

  test("scenes for testing with one kind are other compositions", () => {
    const single = (scenes: Scene[]) =>
      scenes.filter((scene) => kindsOf(scene).length === 1).map(({ placed }) => placed);
    const seen = new Set(single(train).map((placed) => JSON.stringify(placed)));
    expect(seen.size).toBeGreaterThan(300);
    expect(single(test_).some((placed) => seen.has(JSON.stringify(placed)))).toBe(false);
  });

  test("things lie inside of the image and do not overlap", () => {
    const half = ({ size, rotation }: Placed) => extentOf(size, rotation) / 2;
    for (const { placed } of all) {
      for (const [i, a] of placed.entries()) {
        const edge = half(a);
        expect(Math.min(a.x, a.y, 1 - a.x, 1 - a.y)).toBeGreaterThan(edge - 1e-9);
        for (const b of placed.slice(i + 1)) {
          const apart = Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y));
          expect(apart).toBeGreaterThan(edge + half(b));
        }
      }
    }
  });

  test("a thing alone is a third to nine tenths of the side, one of four about a third", () => {
    const sizes = (count: number) =>
      all
        .filter(({ placed }) => placed.length === count)
        .flatMap(({ placed }) => placed.map((each) => each.size));
    expect(Math.min(...sizes(1))).toBeGreaterThanOrEqual(1 / 3);
    expect(Math.max(...sizes(1))).toBeLessThanOrEqual(0.9);
    expect(Math.max(...sizes(1))).toBeGreaterThan(0.85);
    const four = sizes(4);
    expect(four.reduce((sum, size) => sum + size) / four.length).toBeCloseTo(1 / 3, 1);
    expect(Math.min(...four)).toBeGreaterThan(0.19);
  });

  test("there are one to four things, of one to three kinds, all of them named ones", () => {
    expect(new Set(all.map(({ placed }) => placed.length))).toEqual(new Set([1, 2, 3, 4]));
    expect(new Set(train.map((scene) => kindsOf(scene).length))).toEqual(new Set([1, 2, 3]));
    expect(new Set(test_.map((scene) => kindsOf(scene).length))).toEqual(new Set([1, 2, 3]));
    expect(all.every(({ placed }) => placed.every(({ thing }) => thing.isNamed))).toBe(true);
  });

  test("training has all styles but the one for testing, testing those in colours", () => {
    const stylesIn = (scenes: readonly Scene[]) =>
      new Set(scenes.flatMap(({ placed }) => placed.map(({ style }) => style)));
    expect(stylesIn(train)).toEqual(new Set([...trainedStyles, ...furtherStyles, ...outlinedNames]));
    expect(stylesIn(test_)).toEqual(new Set(trainedStyles));
  });

  test("nothing is drawn in a style that it lacks, and handed things are not turned", () => {
    for (const { thing, style, isMirrored, rotation } of all.flatMap(({ placed }) => placed)) {
      expect(thing.missingStyles ?? []).not.toContain(style);
      if (thing.isHanded) expect([isMirrored, Math.abs(rotation) <= 6]).toEqual([false, true]);
    }
  });
});

describe("what is asked for", () => {
  const [a, b] = [madeThings[1]!, madeThings[7]!];

  test("given kinds, a number of things, a style", () => {
    for (let index = 0; index < 50; index++) {
      const scene = sceneAt({
        things: madeThings,
        seed: 1,
        index,
        split: "test",
        kinds: [a, b],
        count: 4,
        styles: ["openmoji"],
      });
      const counted = countedOf(scene);
      expect(new Set(counted.map(({ thing }) => thing.name))).toEqual(new Set([a.name, b.name]));
      expect(counted.reduce((sum, { count }) => sum + count, 0)).toBe(4);
      expect(scene.placed.every(({ style }) => style === "openmoji")).toBe(true);
    }
  });

  test("things that are never named, alone", () => {
    const scenes = scenesOf("train", 50, { which: "unnamed", count: 1 });
    expect(scenes.every(({ placed }) => placed.length === 1 && !placed[0]!.thing.isNamed)).toBe(true);
  });

  test.each(relations)("the second is %s the first", (relation) => {
    for (let index = 0; index < 100; index++) {
      const { placed } = sceneAt({
        things: madeThings,
        seed: 1,
        index,
        split: "train",
        kinds: [a, b],
        relation,
      });
      expect(placed.map(({ thing }) => thing)).toEqual([a, b]);
      expect(relationBetween(placed[0]!, placed[1]!)).toBe(relation);
    }
  });

  test("a relation of three things is refused", () => {
    const ask = () => scenesOf("train", 1, { kinds: madeThings.slice(0, 3), relation: "above" });
    expect(ask).toThrow("two things");
  });

  test("backgrounds are unlike the things' outlines", () => {
    const grey = [120, 120, 120] as const;
    const scenes = scenesOf("train", 400, { colourOf: () => grey });
    const contrasts = scenes.map(({ background }) => contrastOf(background, [grey]));
    expect(contrasts.filter((contrast) => contrast < 120).length).toBeLessThan(8);
    const unasked = train.map(({ background }) => contrastOf(background, [grey]));
    expect(unasked.filter((contrast) => contrast < 120).length).toBeGreaterThan(200);
  });
});

describe("facts", () => {
  const [plum, fig] = [madeThings[1]!, madeThings[2]!];
  const at = (thing: Placed["thing"], x: number, y: number): Placed => ({
    thing,
    style: "noto",
    x,
    y,
    size: 0.3,
    rotation: 0,
    isMirrored: false,
  });
  const sceneOf = (...placed: Placed[]): Scene => ({
    background: { kind: "plain", colour: [0, 0, 0] },
    placed,
  });

  test("things are counted from left to right, then down", () => {
    const scene = sceneOf(at(fig, 0.8, 0.2), at(plum, 0.2, 0.8), at(fig, 0.7, 0.8));
    expect(countedOf(scene)).toEqual([
      { thing: plum, count: 1 },
      { thing: fig, count: 2 },
    ]);
    const below = sceneOf(at(plum, 0.48, 0.8), at(fig, 0.5, 0.2));
    expect(countedOf(below).map(({ thing }) => thing)).toEqual([fig, plum]);
  });

  test("a relation agrees with the places, in the order of counting", () => {
    expect(relationOf(sceneOf(at(fig, 0.8, 0.5), at(plum, 0.2, 0.4)))).toBe("right of");
    expect(relationOf(sceneOf(at(fig, 0.5, 0.8), at(plum, 0.5, 0.2)))).toBe("below");
    expect(relationOf(sceneOf(at(fig, 0.65, 0.2), at(plum, 0.35, 0.85)))).toBe("above");
  });

  test("there is none where it is not clear, for one kind, or for three things", () => {
    expect(relationOf(sceneOf(at(fig, 0.8, 0.8), at(plum, 0.2, 0.2)))).toBeUndefined();
    expect(relationOf(sceneOf(at(fig, 0.8, 0.5), at(fig, 0.2, 0.5)))).toBeUndefined();
    expect(relationOf(sceneOf(at(fig, 0.8, 0.5), at(plum, 0.2, 0.5), at(plum, 0.5, 0.5)))).toBeUndefined();
    expect(relationOf(sceneOf(at(fig, 0.8, 0.5)))).toBeUndefined();
  });

  test("most scenes of two kinds have a clear relation", () => {
    const pairs = train.filter((scene) => scene.placed.length === 2 && kindsOf(scene).length === 2);
    expect(pairs.filter((scene) => relationOf(scene)).length / pairs.length).toBeGreaterThan(0.7);
  });
});
