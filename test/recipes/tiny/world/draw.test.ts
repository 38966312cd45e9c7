import { describe, expect, test } from "vitest";
import { drawScene } from "../../../../recipes/tiny/world/draw.js";
import type { Background, Colour, Placed, Scene } from "../../../../recipes/tiny/world/scene.js";
import { sceneAt } from "../../../../recipes/tiny/world/scenes.js";
import { halves, madeThings } from "./made.js";

const [red, blue, white]: [Colour, Colour, Colour] = [
  [200, 10, 20],
  [10, 30, 200],
  [255, 255, 255],
];
const sprites = halves(red, blue);
const placed: Placed = {
  thing: madeThings[1]!,
  style: "noto",
  x: 0.5,
  y: 0.5,
  size: 0.5,
  rotation: 0,
  isMirrored: false,
};
const sceneOf = (
  more: Partial<Placed> = {},
  background: Background = { kind: "plain", colour: white },
): Scene => ({
  background,
  placed: [{ ...placed, ...more }],
});
/** @param x, y in shares of the side */
const colourAt = (pixels: Uint8Array, x: number, y: number): number[] => {
  const side = Math.sqrt(pixels.length / 3);
  const at = 3 * (side * Math.floor(y * side) + Math.floor(x * side));
  return [...pixels.subarray(at, at + 3)];
};

describe("drawing", () => {
  test.each([48, 64, 224])(
    "at %i pixels the sprite is where its place says, the background elsewhere",
    (size) => {
      const pixels = drawScene(sceneOf({ x: 0.3, y: 0.7 }), sprites, { size });
      expect(pixels.length).toBe(3 * size * size);
      expect(colourAt(pixels, 0.2, 0.7)).toEqual(red);
      expect(colourAt(pixels, 0.4, 0.7)).toEqual(blue);
      for (const [x, y] of [
        [0.03, 0.7],
        [0.57, 0.7],
        [0.3, 0.42],
        [0.3, 0.98],
      ] as const)
        expect(colourAt(pixels, x, y)).toEqual(white);
    },
  );

  test("mirrored, left and right change places", () => {
    const pixels = drawScene(sceneOf({ isMirrored: true }), sprites);
    expect(colourAt(pixels, 0.35, 0.5)).toEqual(blue);
    expect(colourAt(pixels, 0.65, 0.5)).toEqual(red);
  });

  test("turned by 90 degrees clockwise, left comes up", () => {
    const pixels = drawScene(sceneOf({ rotation: 90 }), sprites);
    expect(colourAt(pixels, 0.5, 0.35)).toEqual(red);
    expect(colourAt(pixels, 0.5, 0.65)).toEqual(blue);
  });

  test("an edge between pixels is a mean, whatever the size", () => {
    const black: Background = { kind: "plain", colour: [0, 0, 0] };
    for (const side of [12.5, 20.5, 30.5, 50.5]) {
      const pixels = drawScene(sceneOf({ size: side / 64 }, black), halves(white, white));
      const light = pixels.reduce((sum, value) => sum + value / 255 / 3, 0);
      expect(Math.abs(light / side ** 2 - 1)).toBeLessThan(0.02);
    }
  });

  test("a tint changes colours, and none of white", () => {
    const tint = { hue: 20, saturation: 1.1, brightness: 1 };
    expect(colourAt(drawScene(sceneOf({ tint }), sprites), 0.35, 0.5)).not.toEqual(red);
    const pale = colourAt(drawScene(sceneOf({ tint }), halves(white, white)), 0.5, 0.5);
    expect(Math.min(...pale)).toBeGreaterThan(252);
  });

  test.each<Background>([
    { kind: "gradient", from: red, to: blue, angle: 0 },
    { kind: "stripes", colours: [red, blue], size: 0.2, angle: 30 },
    { kind: "checks", colours: [red, blue], size: 0.2, angle: 30 },
    { kind: "dots", colours: [red, blue], size: 0.2, angle: 30 },
    { kind: "clouds", colours: [red, blue], size: 0.2, variant: 5 },
  ])("a background of $kind has both of its colours and none outside of them", (background) => {
    const pixels = drawScene({ background, placed: [] }, sprites);
    const reds = pixels.filter((_, i) => i % 3 === 0);
    expect(Math.min(...reds)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...reds)).toBeLessThanOrEqual(200);
    expect(Math.max(...reds) - Math.min(...reds)).toBeGreaterThan(120);
  });

  test("the same scene gives the same bytes, and stays as it is", () => {
    for (let index = 0; index < 30; index++) {
      const scene = sceneAt({ things: madeThings, seed: 1, index, split: "train" });
      const before = JSON.stringify(scene);
      expect(drawScene(scene, sprites)).toEqual(drawScene(scene, sprites));
      expect(JSON.stringify(scene)).toBe(before);
    }
  });
});
