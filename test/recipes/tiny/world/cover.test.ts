import { expect, test } from "vitest";
import { coverOf } from "../../../../recipes/tiny/world/cover.js";
import type { Placed, Scene } from "../../../../recipes/tiny/world/scene.js";
import { halves, madeThings } from "./made.js";

const sprites = halves([200, 10, 20], [10, 30, 200]);
const placed: Placed = {
  ...{ thing: madeThings[1]!, style: "noto", x: 0.25, y: 0.5, size: 0.5, rotation: 0, isMirrored: false },
};
const sceneOf = (...all: readonly Partial<Placed>[]): Scene => ({
  background: { kind: "plain", colour: [255, 255, 255] },
  placed: all.map((more) => ({ ...placed, ...more })),
});
const rows = (cover: Int32Array) =>
  Array.from({ length: 4 }, (_, row) => [...cover.subarray(4 * row, 4 * row + 4)]);

test("each patch is that of the thing which fills it, others are nobody's", () => {
  expect(rows(coverOf(sceneOf({}, { x: 0.75, y: 0.75, size: 0.5 }), sprites, 4))).toEqual([
    [-1, -1, -1, -1],
    [0, 0, -1, -1],
    [0, 0, 1, 1],
    [-1, -1, 1, 1],
  ]);
});

test("a patch is the thing's from about a third on, and of two things that of the larger part", () => {
  const at = (x: number) => coverOf(sceneOf({ x, y: 0.5, size: 0.5 }), sprites, 2)[0];
  expect(at(0.5)).toBe(-1); // a quarter
  expect(at(0.4)).toBe(0);
  const two = sceneOf({ x: 0.05, y: 0.25, size: 0.5 }, { x: 0.3, y: 0.25, size: 0.5 });
  expect(coverOf(two, sprites, 2)[0]).toBe(1);
});

test("a thing that is turned has its corners elsewhere", () => {
  const cover = coverOf(sceneOf({ x: 0.5, y: 0.5, size: 0.7, rotation: 45 }), sprites, 8);
  expect(cover[8 * 4]).toBe(0); // the corner that points left
  expect(cover[8 * 1 + 1]).toBe(-1);
});
