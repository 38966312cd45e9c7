import { describe, expect, test } from "vitest";
import { augment } from "../../../../recipes/tiny/world/augment.js";
import { randomStream } from "../../../../src/base/random.js";

const side = 64;
/** Red from left to right, green from top to bottom. */
const ramp = Uint8Array.from({ length: 3 * side * side }, (_, i) => {
  const pixel = Math.floor(i / 3);
  return [4 * (pixel % side), 4 * Math.floor(pixel / side), 128][i % 3]!;
});
const random = randomStream(5, "augmentation");
const nothing = { leastArea: 1, canMirror: false, colour: 0, erasing: 0 };

describe("augmentation", () => {
  test("the same step gives the same image, another step another one; the image stays", () => {
    const before = ramp.slice();
    expect(augment(ramp, random, 1)).toEqual(augment(ramp, random, 1));
    expect(augment(ramp, random, 1)).not.toEqual(augment(ramp, random, 2));
    expect(ramp).toEqual(before);
  });

  test("a part is scaled up: the ramp stays one, and is less steep", () => {
    let areas = 0;
    for (let step = 0; step < 200; step++) {
      const pixels = augment(ramp, random, step, { ...nothing, leastArea: 0.3 });
      const rise = (channel: number, by: number) =>
        (pixels[3 * by * 40 + channel]! - pixels[3 * by * 20 + channel]!) / 80;
      const [across, down] = [rise(0, 1), rise(1, side)];
      expect(Math.max(across, down)).toBeLessThan(1.05);
      expect(across * down).toBeGreaterThan(0.25);
      areas += across * down;
    }
    expect(areas / 200).toBeLessThan(0.75);
  });

  test("half of the images are mirrored, where that is allowed", () => {
    const mirrored = (canMirror: boolean) =>
      Array.from({ length: 200 }, (_, step) => augment(ramp, random, step, { ...nothing, canMirror })).filter(
        (pixels) => pixels[0]! > pixels[3 * (side - 1)]!,
      ).length;
    expect(mirrored(false)).toBe(0);
    expect(Math.abs(mirrored(true) - 100)).toBeLessThan(30);
  });

  test("colours change by their strength", () => {
    const still = augment(ramp, random, 9, nothing);
    const change = (colour: number) => {
      const pixels = augment(ramp, random, 9, { ...nothing, colour });
      return pixels.reduce((sum, value, i) => sum + Math.abs(value - still[i]!), 0);
    };
    const steps = [0.3, 1].map((colour) => change(colour) / ramp.length);
    expect(steps[0]).toBeGreaterThan(1);
    expect(steps[1]).toBeGreaterThan(steps[0]!);
  });

  test("one rectangle of at most a fifth or so is erased", () => {
    for (let step = 0; step < 50; step++) {
      const whole = augment(ramp, random, step, nothing);
      const pixels = augment(ramp, random, step, { ...nothing, erasing: 1 });
      const changed = Array.from({ length: side * side }, (_, i) => i).filter((i) =>
        [0, 1, 2].some((channel) => pixels[3 * i + channel] !== whole[3 * i + channel]),
      );
      const [columns, rows] = [
        new Set(changed.map((i) => i % side)),
        new Set(changed.map((i) => Math.floor(i / side))),
      ];
      expect(changed.length).toBeGreaterThan(0.03 * side * side);
      expect(changed.length).toBeLessThan(0.22 * side * side);
      expect(changed.length).toBe(columns.size * rows.size);
    }
  });
});
