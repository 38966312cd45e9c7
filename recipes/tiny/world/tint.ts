/** Changes of colour as a matrix of three rows and columns, row by row: for red, green and blue, premultiplied or not. */
import type { Tint } from "./scene.js";

export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** How bright the three look. */
const luma = [0.2126, 0.7152, 0.0722] as const;

/** A turn of the hue around grey, then away from grey or to it, then brighter or darker. */
export function tintMatrix({ hue, saturation, brightness }: Tint): Matrix {
  const angle = (hue * Math.PI) / 180;
  // A rotation around (1, 1, 1) by Rodrigues' formula: a circulant matrix.
  const own = (1 + 2 * Math.cos(angle)) / 3;
  const aside = (1 - Math.cos(angle)) / 3;
  const turn = Math.sin(angle) / Math.sqrt(3);
  const turned = [own, aside - turn, aside + turn] as const;
  const at = (row: number, column: number) => {
    const grey = luma.reduce((sum, weight, k) => sum + weight * turned[(column - k + 3) % 3]!, 0);
    return brightness * (saturation * turned[(column - row + 3) % 3]! + (1 - saturation) * grey);
  };
  return [at(0, 0), at(0, 1), at(0, 2), at(1, 0), at(1, 1), at(1, 2), at(2, 0), at(2, 1), at(2, 2)];
}
