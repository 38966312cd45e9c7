/**
 * A drawing as if by another hand: other outlines, lines along its edges, fewer colours, other colours, paler areas. For
 * styles of drawing that training never sees.
 */
import type { RandomStream } from "../../../src/base/random.js";
import { bend } from "./bend.js";
import { type Choices, choicesOf } from "./choices.js";
import { tintMatrix } from "./tint.js";

/** How often an image stays as it was. */
const kept = 0.35;

/**
 * @param pixels red, green, blue of a square, row by row; left as they are
 * @param random where the choices come from: the same step gives the same image
 * @returns an image of the same size, or `pixels` themselves
 */
export function redraw(pixels: Uint8Array, random: RandomStream, step: number): Uint8Array {
  const choices = choicesOf(random, step);
  if (choices.chance(kept)) return pixels;
  const outlined = choices.chance(0.7) ? bend(pixels, choices) : pixels;
  const lines = choices.chance(0.6) ? linesOf(outlined, choices) : undefined;
  const result = recoloured(outlined, choices);
  if (lines) for (let i = 0; i < result.length; i++) result[i]! *= lines[Math.floor(i / 3)]!;
  return new Uint8Array(result.buffer);
}

/** What is left of a pixel's light: less where colours change quickly. */
function linesOf(pixels: Uint8Array, choices: Choices): Float32Array {
  const side = Math.sqrt(pixels.length / 3);
  const [darkness, least, range] = [
    choices.between(0.5, 1),
    choices.between(30, 90),
    choices.between(30, 120),
  ];
  const lines = new Float32Array(side * side).fill(1);
  for (let y = 1; y < side - 1; y++) {
    for (let x = 1; x < side - 1; x++) {
      const at = 3 * (side * y + x);
      let change = 0;
      for (let channel = at; channel < at + 3; channel++) {
        const across = Math.abs(pixels[channel + 3]! - pixels[channel - 3]!);
        const down = Math.abs(pixels[channel + 3 * side]! - pixels[channel - 3 * side]!);
        change = Math.max(change, across + down);
      }
      lines[side * y + x] = 1 - darkness * Math.min(1, Math.max(0, (change - least) / range));
    }
  }
  return lines;
}

/** As many steps of each channel, another tint, more white. */
function recoloured(pixels: Uint8Array, choices: Choices): Uint8ClampedArray {
  const steps = choices.chance(0.3) ? 255 / (2 + choices.below(4)) : 0;
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = tintMatrix({
    hue: choices.between(-20, 20),
    saturation: choices.between(0.5, 1.6),
    brightness: choices.between(0.75, 1.2),
  });
  const white = choices.chance(0.3) ? choices.between(0.1, 0.5) : 0;
  const result = new Uint8ClampedArray(pixels.length);
  const finish = (value: number) => {
    const stepped = steps > 0 ? Math.round(value / steps) * steps : value;
    return stepped + white * (255 - stepped);
  };
  for (let i = 0; i < pixels.length; i += 3) {
    const [red, green, blue] = [pixels[i]!, pixels[i + 1]!, pixels[i + 2]!];
    result[i] = finish(m0 * red + m1 * green + m2 * blue);
    result[i + 1] = finish(m3 * red + m4 * green + m5 * blue);
    result[i + 2] = finish(m6 * red + m7 * green + m8 * blue);
  }
  return result;
}
