/** Which thing of a scene lies where. */
import type { Placed, Scene } from "./scene.js";
import type { Sprite, Sprites } from "./sprite.js";

/** A thing covers a patch where it is at this share of the places that are looked at. */
const leastShare = 0.3;
/** Places a side of a patch. */
const places = 4;

/**
 * The thing that a patch shows most of, as its place in `scene.placed`, row by row: −1 where there is hardly one.
 *
 * @param perSide patches a side of the image
 */
export function coverOf({ placed }: Scene, sprites: Sprites, perSide: number): Int32Array {
  const cover = new Int32Array(perSide * perSide).fill(-1);
  const most = new Int32Array(perSide * perSide).fill(leastShare * places * places);
  for (const [number, each] of placed.entries()) {
    const counts = countsOf(each, sprites.get(each.thing, each.style), perSide);
    for (const [patch, count] of counts.entries()) {
      if (count <= most[patch]!) continue;
      most[patch] = count;
      cover[patch] = number;
    }
  }
  return cover;
}

/** At how many places of each patch the thing is opaque. */
function countsOf({ x, y, size, rotation, isMirrored }: Placed, { levels }: Sprite, perSide: number) {
  const counts = new Int32Array(perSide * perSide);
  const { side, data } = levels.at(-1)!; // of about 12 pixels: finer than what is asked
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle) / size, Math.sin(angle) / size];
  const reach = size * Math.SQRT1_2;
  const dense = perSide * places;
  const range = (middle: number) => [
    Math.max(0, Math.floor((middle - reach) * dense)),
    Math.min(dense, Math.ceil((middle + reach) * dense)),
  ];
  const [left, right] = range(x) as [number, number];
  const [top, bottom] = range(y) as [number, number];
  for (let row = top; row < bottom; row++) {
    const down = (row + 0.5) / dense - y;
    for (let column = left; column < right; column++) {
      const across = (column + 0.5) / dense - x;
      // In shares of the thing's side, from its middle.
      const u = (isMirrored ? -1 : 1) * (across * cos + down * sin) + 0.5;
      const v = down * cos - across * sin + 0.5;
      if (u < 0 || v < 0 || u >= 1 || v >= 1) continue;
      const at = 4 * ((side + 2) * (Math.floor(v * side) + 1) + Math.floor(u * side) + 1);
      const patch = perSide * Math.floor(row / places) + Math.floor(column / places);
      if (data[at + 3]! > 127) counts[patch]!++;
    }
  }
  return counts;
}
