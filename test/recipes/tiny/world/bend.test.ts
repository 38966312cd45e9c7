import { expect, test } from "vitest";
import { bend } from "../../../../recipes/tiny/world/bend.js";
import { choicesOf } from "../../../../recipes/tiny/world/choices.js";
import { randomStream } from "../../../../src/base/random.js";

const side = 64;
const image = (value: (x: number, y: number, colour: number) => number) =>
  Uint8Array.from({ length: 3 * side * side }, (_, i) =>
    value(Math.floor(i / 3) % side, Math.floor(i / 3 / side), i % 3),
  );
const bent = (pixels: Uint8Array, step = 0) => bend(pixels, choicesOf(randomStream(5, "bends"), step));

test("an image of one colour stays as it is, up to its edges", () => {
  const plain = image((_x, _y, colour) => [10, 120, 255][colour]!);
  for (let step = 0; step < 20; step++) expect(Buffer.compare(bent(plain, step), plain)).toBe(0);
});

test("places move by up to a sixteenth of the side, neighbours nearly alike, and differently each time", () => {
  // Red says in which column a pixel was, green in which row.
  const places = image((x, y, colour) => [4 * x, 4 * y, 0][colour]!);
  const moved = Array.from({ length: 20 }, (_, step) => {
    const now = bent(places, step);
    const of = (x: number, y: number) =>
      [0, 1].map((colour) => now[3 * (side * y + x) + colour]! / 4 - [x, y][colour]!) as [number, number];
    let [furthest, apart] = [0, 0];
    for (let y = 8; y < side - 8; y++) {
      for (let x = 8; x < side - 8; x++) {
        const [here, next] = [of(x, y), of(x + 1, y)];
        furthest = Math.max(furthest, Math.abs(here[0]), Math.abs(here[1]));
        apart = Math.max(apart, Math.abs(here[0] - next[0]), Math.abs(here[1] - next[1]));
      }
    }
    expect(apart).toBeLessThan(1);
    return furthest;
  });
  expect(Math.max(...moved)).toBeLessThanOrEqual(0.06 * side + 0.25);
  expect(Math.max(...moved)).toBeGreaterThan(2);
  expect(new Set(moved).size).toBeGreaterThan(5);
});
