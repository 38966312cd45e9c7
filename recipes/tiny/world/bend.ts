/** An image bent a little, smoothly and differently from place to place: two hands never draw the same outline. */
import type { Choices } from "./choices.js";

/** Of the image's side: how far a place moves at most by one wave, of two in each direction. */
const furthest = 0.03;

/**
 * @param pixels red, green, blue of a square, row by row; left as they are
 * @returns an image of the same size; its edges repeat what lies outside
 */
export function bend(pixels: Uint8Array, choices: Choices): Uint8Array {
  const side = Math.sqrt(pixels.length / 3);
  const wave = () => waveOf(side, choices);
  const [acrossByRow, acrossByColumn, downByRow, downByColumn] = [wave(), wave(), wave(), wave()];
  const result = new Uint8Array(pixels.length);
  const inside = (place: number) => Math.max(0, Math.min(side - 1, place));
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const across = inside(x + acrossByRow[y]! + acrossByColumn[x]!);
      const down = inside(y + downByRow[y]! + downByColumn[x]!);
      const [left, top] = [Math.floor(across), Math.floor(down)];
      const [u, v] = [across - left, down - top];
      const upper = 3 * (side * top + left);
      const toRight = left < side - 1 ? 3 : 0;
      const lower = upper + (top < side - 1 ? 3 * side : 0);
      const at = 3 * (side * y + x);
      for (let colour = 0; colour < 3; colour++) {
        const above = (1 - u) * pixels[upper + colour]! + u * pixels[upper + toRight + colour]!;
        const below = (1 - u) * pixels[lower + colour]! + u * pixels[lower + toRight + colour]!;
        result[at + colour] = (1 - v) * above + v * below + 0.5;
      }
    }
  }
  return result;
}

/** How far each row or column moves, in pixels. */
function waveOf(side: number, choices: Choices): Float64Array {
  const height = side * choices.between(0, furthest);
  const [turns, start] = [choices.between(0.5, 2.5), choices.between(0, 1)];
  return Float64Array.from({ length: side }, (_, i) => {
    return height * Math.sin(2 * Math.PI * (start + (turns * i) / side));
  });
}
