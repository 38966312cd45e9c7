/** From a rendered drawing with margins to a sprite: the margins differ between styles, and a thing's size must not. */
import { spriteSide } from "./sprite.js";

/** Straight red, green, blue and alpha. */
export interface Rendered {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Alpha from which on a pixel counts as drawn: soft shadows do not make a thing larger. */
const drawnFrom = 24;

/** @returns a sprite's largest level: premultiplied, the thing's longer side on the whole of the sprite's */
export function trimmed(rendered: Rendered): Uint8Array {
  const box = boxOf(rendered);
  const longer = Math.max(box.width, box.height);
  const scale = longer / spriteSide;
  const left = box.left - (longer - box.width) / 2;
  const top = box.top - (longer - box.height) / 2;
  const columns = Array.from({ length: spriteSide }, (_, x) =>
    shares(left + scale * x, scale, rendered.width),
  );
  const result = new Uint8Array(4 * spriteSide * spriteSide);
  for (let y = 0; y < spriteSide; y++) {
    const rows = shares(top + scale * y, scale, rendered.height);
    for (let x = 0; x < spriteSide; x++)
      average(rendered, rows, columns[x]!, result, 4 * (y * spriteSide + x));
  }
  return result;
}

function boxOf({ data, width, height }: Rendered) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[4 * (y * width + x) + 3]! < drawnFrom) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  if (right <= left) throw new Error("a drawing is empty");
  return { left, top, width: right - left, height: bottom - top };
}

/** How much of each pixel from `first` on lies in a stretch; they add up to one, less what lies outside. */
function shares(start: number, length: number, limit: number): { first: number; weights: number[] } {
  const first = Math.max(0, Math.floor(start));
  const weights: number[] = [];
  for (let at = first; at < Math.min(limit, start + length); at++) {
    weights.push((Math.min(at + 1, start + length) - Math.max(at, start)) / length);
  }
  return { first, weights };
}

type Shares = ReturnType<typeof shares>;

/** The mean of an area, weighted by alpha. */
function average(
  { data, width }: Rendered,
  rows: Shares,
  columns: Shares,
  into: Uint8Array,
  at: number,
): void {
  const sum = [0, 0, 0, 0];
  rows.weights.forEach((down, y) => {
    columns.weights.forEach((across, x) => {
      const from = 4 * ((rows.first + y) * width + columns.first + x);
      const alpha = (down * across * data[from + 3]!) / 255;
      for (let channel = 0; channel < 3; channel++) sum[channel]! += alpha * data[from + channel]!;
      sum[3]! += 255 * alpha;
    });
  });
  for (let channel = 0; channel < 4; channel++) into[at + channel] = Math.round(sum[channel]!);
}
