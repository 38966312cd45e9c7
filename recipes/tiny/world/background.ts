/** Backgrounds as pixels. */
import type { Background, Colour } from "./scene.js";

/** Fills red, green, blue, row by row, of `side`² pixels, with values from 0 to 255. */
export function drawBackground(background: Background, side: number, into: Float32Array): void {
  const [from, to] = endsOf(background);
  fill(into, side, from, to, shareOf(background, side));
}

function endsOf(background: Background): readonly [Colour, Colour] {
  if (background.kind === "plain") return [background.colour, background.colour];
  if (background.kind === "gradient") return [background.from, background.to];
  return background.colours;
}

/** How much of the second colour there is at the middle of a pixel: from 0 to 1. */
type Share = (x: number, y: number) => number;

function fill(into: Float32Array, side: number, from: Colour, to: Colour, share: Share): void {
  const [red, green, blue] = from;
  const [moreRed, moreGreen, moreBlue] = [to[0] - red, to[1] - green, to[2] - blue];
  let at = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const t = share(x + 0.5, y + 0.5);
      into[at++] = red + t * moreRed;
      into[at++] = green + t * moreGreen;
      into[at++] = blue + t * moreBlue;
    }
  }
}

/** Axes turned clockwise, in pixels. */
function axes(angle: number) {
  const radians = (angle * Math.PI) / 180;
  return { cos: Math.cos(radians), sin: Math.sin(radians) };
}

function gradient(angle: number, side: number): Share {
  const { cos, sin } = axes(angle);
  const length = side * (Math.abs(cos) + Math.abs(sin));
  return (x, y) => ((x - side / 2) * cos + (y - side / 2) * sin) / length + 0.5;
}

function shareOf(background: Background, side: number): Share {
  if (background.kind === "plain") return () => 0;
  if (background.kind === "gradient") return gradient(background.angle, side);
  const period = Math.max(1, background.size * side);
  if (background.kind === "clouds") return clouds(period, background.variant);
  const { cos, sin } = axes(background.angle);
  /** Stripes along one axis: how much of the second of two lies at a pixel's middle, its edges a pixel soft. */
  const band = (along: number) => {
    const at = along / period - 2 * Math.floor(along / period / 2); // 0 to 2
    const toEdge = at < 1 ? -Math.min(at, 1 - at) : Math.min(at - 1, 2 - at);
    return clamp(toEdge * period + 0.5);
  };
  if (background.kind === "stripes") return (x, y) => band(x * cos + y * sin);
  if (background.kind === "checks") {
    return (x, y) => {
      const [a, b] = [band(x * cos + y * sin), band(y * cos - x * sin)];
      return a + b - 2 * a * b;
    };
  }
  const middle = (along: number) => along - period * (Math.floor(along / period) + 0.5);
  return (x, y) => {
    const [a, b] = [middle(x * cos + y * sin), middle(y * cos - x * sin)];
    return clamp(0.3 * period - Math.sqrt(a * a + b * b) + 0.5);
  };
}

const clamp = (value: number) => Math.max(0, Math.min(1, value));

/** Value noise in two octaves: random numbers on a grid, smooth between. */
function clouds(period: number, variant: number): Share {
  const octave = (x: number, y: number, salt: number) => {
    const [left, top] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [smooth(x - left), smooth(y - top)];
    const above = mix(lattice(left, top, salt), lattice(left + 1, top, salt), u);
    const below = mix(lattice(left, top + 1, salt), lattice(left + 1, top + 1, salt), u);
    return mix(above, below, v);
  };
  return (x, y) =>
    0.7 * octave(x / period, y / period, variant) +
    0.3 * octave((2 * x) / period, (2 * y) / period, variant + 1);
}

const mix = (a: number, b: number, share: number) => a + (b - a) * share;
const smooth = (t: number) => t * t * (3 - 2 * t);

/** A number from 0 to below 1 for a point of the grid. */
function lattice(x: number, y: number, salt: number): number {
  let value = (Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca77) ^ Math.imul(salt, 0xc2b2ae3d)) | 0;
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  value = Math.imul(value ^ (value >>> 12), 0x297a2d39);
  return ((value ^ (value >>> 15)) >>> 0) / 2 ** 32;
}
