/**
 * Scenes as pixels. The same scene gives the same bytes.
 *
 * A sprite is drawn from the smaller copy of itself that is nearest to its size, between pixels by bilinear weights; where
 * the copy is clearly larger than that, each pixel is the mean of four places in it.
 */
import { drawBackground } from "./background.js";
import type { Placed, Scene } from "./scene.js";
import type { Level, Sprite, Sprites } from "./sprite.js";
import { type Matrix, tintMatrix } from "./tint.js";

export interface DrawOptions {
  /** The side of the image in pixels. Default 64. */
  readonly size?: number;
}

/** @returns red, green, blue, row by row: 3 × size² bytes */
export function drawScene(scene: Scene, sprites: Sprites, { size = 64 }: DrawOptions = {}): Uint8Array {
  const canvas = new Float32Array(3 * size * size);
  drawBackground(scene.background, size, canvas);
  for (const placed of scene.placed)
    drawSprite(canvas, size, placed, sprites.get(placed.thing, placed.style));
  // Rounds and keeps within 0 and 255.
  return new Uint8Array(new Uint8ClampedArray(canvas).buffer);
}

const unchanged: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];
/** A copy that is so many times the size of what is drawn is looked at in four places a pixel. */
const fourPlacesFrom = 1.15;

function drawSprite(canvas: Float32Array, size: number, placed: Placed, sprite: Sprite): void {
  const side = placed.size * size;
  const level = levelFor(sprite, side);
  const [m0, m1, m2, m3, m4, m5, m6, m7, m8] = placed.tint ? tintMatrix(placed.tint) : unchanged;

  const angle = (placed.rotation * Math.PI) / 180;
  const scale = level.side / side;
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  const flip = placed.isMirrored ? -1 : 1;
  const [middleX, middleY] = [placed.x * size, placed.y * size];
  const reach = (side * (Math.abs(cos) + Math.abs(sin))) / scale / 2 + 1;
  const [left, right] = range(middleX, reach, size);
  const [top, bottom] = range(middleY, reach, size);
  const places = scale > fourPlacesFrom ? 2 : 1;
  const share = 1 / (places * places);

  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      sum[0] = sum[1] = sum[2] = sum[3] = 0;
      for (let j = 0; j < places; j++) {
        for (let i = 0; i < places; i++) {
          const across = x + (i + 0.5) / places - middleX;
          const down = y + (j + 0.5) / places - middleY;
          // From the image's axes to the sprite's, in the level's pixels with its border.
          addSample(
            level,
            flip * (across * cos + down * sin) + level.side / 2 + 0.5,
            down * cos - across * sin + level.side / 2 + 0.5,
          );
        }
      }
      if (sum[3] === 0) continue;
      const red = sum[0]! * share;
      const green = sum[1]! * share;
      const blue = sum[2]! * share;
      const alpha = sum[3]! * share;
      const rest = 1 - alpha / 255;
      const at = 3 * (y * size + x);
      canvas[at] = canvas[at]! * rest + within(m0 * red + m1 * green + m2 * blue, alpha);
      canvas[at + 1] = canvas[at + 1]! * rest + within(m3 * red + m4 * green + m5 * blue, alpha);
      canvas[at + 2] = canvas[at + 2]! * rest + within(m6 * red + m7 * green + m8 * blue, alpha);
    }
  }
}

/** Red, green, blue and alpha of the pixel that is being drawn: one array, since a scene has thousands of pixels. */
const sum = new Float64Array(4);

/** Adds what lies at a place of a level, where 0.5 is the middle of the border's first pixel. */
function addSample({ side, data }: Level, x: number, y: number): void {
  if (x < 0 || y < 0 || x >= side + 1 || y >= side + 1) return;
  const left = x | 0;
  const top = y | 0;
  const row = 4 * (side + 2);
  const a = row * top + 4 * left;
  const b = a + row;
  if ((data[a + 3]! | data[a + 7]! | data[b + 3]! | data[b + 7]!) === 0) return; // half of a sprite is empty
  const u = x - left;
  const v = y - top;
  const d = u * v;
  const c = v - d;
  const e = u - d;
  const f = 1 - u - c;
  sum[0]! += f * data[a]! + e * data[a + 4]! + c * data[b]! + d * data[b + 4]!;
  sum[1]! += f * data[a + 1]! + e * data[a + 5]! + c * data[b + 1]! + d * data[b + 5]!;
  sum[2]! += f * data[a + 2]! + e * data[a + 6]! + c * data[b + 2]! + d * data[b + 6]!;
  sum[3]! += f * data[a + 3]! + e * data[a + 7]! + c * data[b + 3]! + d * data[b + 7]!;
}

/** A premultiplied colour is no more than its alpha. */
const within = (value: number, alpha: number) => (value < 0 ? 0 : Math.min(value, alpha));

/** The smallest that is about as large as what is drawn. */
const levelFor = ({ levels }: Sprite, side: number): Level =>
  levels.findLast((level) => level.side >= 0.9 * side) ?? levels[0]!;

const range = (middle: number, reach: number, size: number): [number, number] => [
  Math.max(0, Math.floor(middle - reach)),
  Math.min(size, Math.ceil(middle + reach)),
];
