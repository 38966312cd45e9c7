import { expect, test } from "vitest";
import { redraw } from "../../../../recipes/tiny/world/redraw.js";
import { randomStream } from "../../../../src/base/random.js";

const side = 16;
/** A light square on a dark ground. */
const square = Uint8Array.from({ length: 3 * side * side }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
  return Math.min(x, y) >= 4 && Math.max(x, y) < 12 ? 250 : 50;
});
const random = randomStream(3, "other hands");
const drawings = Array.from({ length: 200 }, (_, step) => redraw(square, random, step));
const at = (pixels: Uint8Array, x: number, y: number) => pixels[3 * (side * y + x)]!;

test("a third of the images stay, the others change; the same step gives the same", () => {
  const same = drawings.filter((pixels) => pixels.every((value, i) => value === square[i])).length;
  expect(Math.abs(same - 70)).toBeLessThan(25);
  drawings.forEach((pixels, step) => {
    expect(redraw(square, random, step)).toEqual(pixels);
  });
  expect(square[0]).toBe(50);
});

test("some have dark lines where colours change, and nowhere else", () => {
  const lined = drawings.filter((pixels) => at(pixels, 4, 8) < at(pixels, 8, 8) - 60);
  expect(lined.length).toBeGreaterThan(10);
  for (const pixels of lined) expect(Math.abs(at(pixels, 8, 8) - at(pixels, 7, 7))).toBeLessThan(3);
});
