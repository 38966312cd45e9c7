import { expect, test } from "vitest";
import { channelsOf, type Mode, type Raster } from "../../src/images/image.js";
import { resize } from "../../src/images/resize.js";

const modes = Object.keys(channelsOf) as Mode[];

/** Any repeatable values will do; black and white and opaque alpha are no special case of the resize. */
function noise(mode: Mode, width: number, height: number, seed: number): Raster {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 16;
  };
  const length = width * height * channelsOf[mode];
  if (mode === "I;16" || mode === "I;16B")
    return { mode, width, height, data: Uint16Array.from({ length }, next) };
  if (mode === "F") return { mode, width, height, data: Float32Array.from({ length }, next) };
  return { mode, width, height, data: Uint8Array.from({ length }, () => next() >> 8) };
}

test.each(modes)("a %s image resized to its own size is the same", (mode) => {
  for (let seed = 1; seed <= 20; seed++) {
    const image = noise(mode, 1 + (seed % 7), 1 + ((seed * 5) % 11), seed);
    expect(resize(image, { width: image.width, height: image.height })).toEqual(image);
  }
});

test.each(modes)("a %s image of one colour keeps it at any size", (mode) => {
  for (let seed = 1; seed <= 20; seed++) {
    const { data: colour } = noise(mode, 1, 1, seed);
    const alphaless = mode !== "LA" && mode !== "RGBA";
    // Half transparent colours lose bits when premultiplied; a whole alpha must lose none.
    if (!alphaless) colour[colour.length - 1] = 255;
    const of = (width: number, height: number): Raster => {
      const raster = noise(mode, width, height, 0);
      for (let i = 0; i < raster.data.length; i++) raster.data[i] = colour[i % colour.length]!;
      return raster;
    };
    const [width, height] = [1 + ((seed * 13) % 40), 1 + ((seed * 29) % 50)];
    expect(resize(of(9, 31), { width, height })).toEqual(of(width, height));
  }
});

test.each(modes)("the part of a %s image that is kept is that part of the whole", (mode) => {
  const channels = channelsOf[mode];
  for (const [width, height] of [
    [40, 9],
    [5, 64],
    [23, 17],
  ] as const) {
    const image = noise(mode, 23, 17, width);
    const whole = resize(image, { width, height });
    const keep = { left: 2, top: 3, width: 3, height: 5 };
    const part = resize(image, { width, height }, keep);
    expect(part).toMatchObject({ mode, width: 3, height: 5 });
    for (let y = 0; y < keep.height; y++) {
      const start = ((y + keep.top) * width + keep.left) * channels;
      expect(part.data.slice(y * 3 * channels, (y + 1) * 3 * channels)).toEqual(
        whole.data.slice(start, start + 3 * channels),
      );
    }
  }
});

test("palettes and black and white take whole pixels, never a blend", () => {
  for (const mode of ["1", "P"] as const) {
    const image = noise(mode, 10, 1, 4);
    const channels = channelsOf[mode];
    const half = resize(image, { width: 5, height: 1 });
    const odd = [1, 3, 5, 7, 9].flatMap((x) => [...image.data.slice(x * channels, (x + 1) * channels)]);
    expect([...half.data]).toEqual(odd);
  }
});

test("a hidden colour does not bleed into its neighbours", () => {
  const hiddenRed = [255, 0, 0, 0];
  const blue = [0, 0, 255, 255];
  const image: Raster = {
    mode: "RGBA",
    width: 2,
    height: 1,
    data: Uint8Array.from([...hiddenRed, ...blue]),
  };
  const { data } = resize(image, { width: 8, height: 1 });
  for (let pixel = 0; pixel < 8; pixel++) {
    const [red, , , alpha] = data.slice(4 * pixel);
    if (alpha! > 0) expect(red).toBe(0);
  }
});

test("16-bit grey overshoots neither below 0 nor above 65,535", () => {
  const data = Uint16Array.from({ length: 40 }, (_, x) => (x >= 10 && x < 30 ? 65535 : 0));
  const wide = resize({ mode: "I;16", width: 40, height: 1, data }, { width: 57, height: 1 });
  // Pillow 12.3.0: between black and white one sample at each edge, and no ringing is left.
  const [black, white] = [Array(14).fill(0), Array(27).fill(65535)];
  expect([...wide.data]).toEqual([...black, 46785, ...white, 46785, ...black]);
});

test("very tall images shrink along their columns first, as in Pillow 12", () => {
  const data = Uint8Array.from({ length: 2 * 225 }, (_, i) => Math.trunc((i * 2654435761) / 2 ** 24));
  const { data: tall } = resize({ mode: "L", width: 2, height: 225, data }, { width: 1, height: 112 });
  // Pillow 12.3.0; rows first would give 117, 147, 104, 159, 129.
  expect([1, 2, 9, 10, 18].map((y) => tall[y])).toEqual([118, 148, 105, 160, 130]);
});
