/**
 * Pillow's resize, byte for byte: bicubic with antialiasing where samples can be blended, else nearest.
 *
 * Facts: Pillow 12.3.0, src/libImaging/Resample.c and Geometry.c, and Image.resize for the order of passes.
 * sharp's own cubic gives other bytes.
 */
import { premultiply, unpremultiply } from "./convert.js";
import { type ByteRaster, channelsOf, type Raster, type WordRaster } from "./image.js";
import { atOnce, type Steps, samplesOfAStep } from "./turns.js";

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of an image, in pixels from its left upper corner. */
export interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

/**
 * The image resized to `to`, of which only the pixels in `keep` are computed and returned.
 *
 * @param keep inside the resized image; all of it unless given
 * @returns a raster of `keep.width` × `keep.height` in the same mode; always a copy
 */
export function resize(raster: Raster, to: Size, keep: Box = { left: 0, top: 0, ...to }): Raster {
  return atOnce(resizing(raster, to, keep));
}

/** `resize` in steps. */
export function* resizing(raster: Raster, to: Size, keep: Box): Steps<Raster> {
  const unscaled = raster.width === to.width && raster.height === to.height;
  if (unscaled || raster.mode === "1" || raster.mode === "P") return yield* nearest(raster, to, keep);
  const resized = yield* bicubic(raster, to, keep);
  return hasAlpha(resized) ? unpremultiply(resized) : inFileOrder(resized);
}

function* nearest(raster: Raster, to: Size, keep: Box): Steps<Raster> {
  const channels = channelsOf[raster.mode];
  const columns = yield* nearestSamples(raster.width, to.width, keep.left, keep.width);
  const rows = yield* nearestSamples(raster.height, to.height, keep.top, keep.height);
  const kept = emptyLike(raster, keep);

  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const pixel = (row * raster.width + column) * channels;
      for (let c = 0; c < channels; c++) kept.data[at++] = raster.data[pixel + c]!;
    }
  }
  return kept;
}

/** The source sample of each of `length` outputs from `start` on, when `source` samples become `target`. */
function* nearestSamples(source: number, target: number, start: number, length: number): Steps<Int32Array> {
  const scale = source / target;
  const samples = new Int32Array(length);
  // A running sum, not a product: Pillow's own rounding errors are part of the answer.
  let position = scale / 2;
  for (let i = 1; i <= start; i++) {
    position += scale;
    if (i % samplesOfAStep === 0) yield;
  }
  for (let i = 0; i < length; i++, position += scale) samples[i] = Math.trunc(position);
  return samples;
}

/**
 * One pass along the rows and one along the columns, with samples rounded in between; alpha stays multiplied in, and
 * bytes of big-endian samples swapped.
 */
function* bicubic(raster: Raster, to: Size, keep: Box): Steps<Raster> {
  const arithmetic = isWords(raster) ? words : raster.mode === "F" ? floats : bytes;
  const columns = cubicTaps(raster.width, to.width, keep.left, keep.width, arithmetic);
  const rows = cubicTaps(raster.height, to.height, keep.top, keep.height, arithmetic);
  const seen: Box = { left: columns.from, top: rows.from, width: columns.seen, height: rows.seen };

  // Pillow takes very tall images the other way round when they shrink; where bytes are rounded shows it.
  if (raster.height > 100 * raster.width && to.height < raster.height) {
    const flat = yield* alongColumns(partOf(raster, seen), rows, arithmetic);
    return alongRows(flat, columns, arithmetic);
  }
  // Band by band, so that the copies, of what may be all of a large image, stay small.
  const narrow = emptyLike(raster, { width: keep.width, height: seen.height });
  const most = Math.ceil(samplesOfAStep / (seen.width * channelsOf[raster.mode]));
  for (let y = 0; y < seen.height; y += most) {
    const band = { ...seen, top: seen.top + y, height: Math.min(most, seen.height - y) };
    const { data } = alongRows(partOf(raster, band), columns, arithmetic);
    narrow.data.set(data, y * keep.width * channelsOf[raster.mode]);
    yield;
  }
  return yield* alongColumns(narrow, rows, arithmetic);
}

function alongRows(raster: Raster, taps: Taps, arithmetic: Arithmetic): Raster {
  const result = emptyLike(raster, { width: taps.first.length, height: raster.height });
  const inner = channelsOf[raster.mode];
  resample(raster.data, { length: raster.width, inner }, taps, arithmetic, result.data);
  return result;
}

function* alongColumns(raster: Raster, taps: Taps, arithmetic: Arithmetic): Steps<Raster> {
  const result = emptyLike(raster, { width: raster.width, height: taps.first.length });
  const inner = raster.width * channelsOf[raster.mode];
  for (let row = 0; row < taps.first.length; row++) {
    const own = oneOf(taps, row);
    resample(
      raster.data,
      { length: raster.height, inner },
      own,
      arithmetic,
      result.data.subarray(row * inner),
    );
    yield;
  }
  return result;
}

/** How a mode weighs and rounds. */
interface Arithmetic {
  /** A weight as it enters the sum. */
  weight(exact: number): number;
  /** The sample that a weighted sum stands for. */
  sample(sum: number): number;
}

/** Fixed point with 22 bits after the point, the most that leaves 32-bit sums of bytes room. */
const bytes: Arithmetic = {
  weight: (exact) => Math.trunc(exact * 2 ** 22 + (exact < 0 ? -0.5 : 0.5)),
  sample: (sum) => Math.min(Math.max((sum + 2 ** 21) >> 22, 0), 255),
};

const words: Arithmetic = {
  weight: (exact) => exact,
  sample: (sum) => Math.min(Math.max(Math.floor(sum + 0.5), 0), 65535),
};

/** Nothing is rounded but by the float32 array that the sum goes into. */
const floats: Arithmetic = { weight: (exact) => exact, sample: (sum) => sum };

/** For each output sample along one axis: the first source sample it sees, how many, and their weights. */
interface Taps {
  /** The source samples that any output sees: the first, and how many. */
  readonly from: number;
  readonly seen: number;
  /** Counted from `from` on. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `perOutput` places an output, of which `count` are used. */
  readonly weights: Float64Array;
  readonly perOutput: number;
}

/** The taps of `length` outputs from `start` on, when `source` samples become `target`. */
function cubicTaps(
  source: number,
  target: number,
  start: number,
  length: number,
  { weight }: Arithmetic,
): Taps {
  const scale = source / target;
  // Shrinking widens the kernel, so that every source sample counts: this is the antialiasing.
  const widening = Math.max(scale, 1);
  const support = 2 * widening;
  const perOutput = 2 * Math.ceil(support) + 1;
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Float64Array(length * perOutput);

  for (let i = 0; i < length; i++) {
    const centre = (start + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(source, Math.trunc(centre + support + 0.5));
    const own = weights.subarray(i * perOutput, i * perOutput + end - from);
    let sum = 0;
    for (let j = 0; j < own.length; j++) {
      own[j] = cubic((j + from - centre + 0.5) * (1 / widening));
      sum += own[j]!;
    }
    for (let j = 0; j < own.length; j++) own[j] = weight(own[j]! / sum);
    first[i] = from;
    count[i] = own.length;
  }
  const from = first[0]!;
  const seen = first.at(-1)! + count.at(-1)! - from;
  return { from, seen, first: first.map((sample) => sample - from), count, weights, perOutput };
}

/** The taps of one output. */
function oneOf(taps: Taps, output: number): Taps {
  return {
    ...taps,
    first: taps.first.subarray(output, output + 1),
    count: taps.count.subarray(output, output + 1),
    weights: taps.weights.subarray(output * taps.perOutput),
  };
}

/** The cubic convolution kernel with a = −0.5: 1 at 0, 0 at the other whole numbers and from 2 on. */
function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return a * (((d - 5) * d + 8) * d - 4);
  return 0;
}

/**
 * Weighs the middle axis of `source` (outer, length, inner) into `target` (outer, outputs of the taps,
 * inner). Along a row of pixels the inner axis is a pixel's samples, down the columns it is a whole row.
 */
function resample(
  source: Raster["data"],
  { length, inner }: { length: number; inner: number },
  { first, count, weights, perOutput }: Taps,
  { sample }: Arithmetic,
  target: Raster["data"],
): void {
  let at = 0;
  for (let line = 0; line < source.length; line += length * inner) {
    for (let i = 0; i < first.length; i++) {
      const start = line + first[i]! * inner;
      const end = i * perOutput + count[i]!;
      for (let k = 0; k < inner; k++) {
        let sum = 0;
        for (let tap = i * perOutput, s = start + k; tap < end; tap++, s += inner) {
          sum += source[s]! * weights[tap]!;
        }
        target[at++] = sample(sum);
      }
    }
  }
}

function emptyLike({ mode }: Raster, { width, height }: Size): Raster {
  const length = width * height * channelsOf[mode];
  if (mode === "I;16" || mode === "I;16B") return { mode, width, height, data: new Uint16Array(length) };
  if (mode === "F") return { mode, width, height, data: new Float32Array(length) };
  return { mode, width, height, data: new Uint8Array(length) };
}

/** A part of an image, as a copy, with its alpha multiplied in, or its samples in the order of the file's bytes. */
function partOf(raster: Raster, { left, top, width, height }: Box): Raster {
  const channels = channelsOf[raster.mode];
  const part = emptyLike(raster, { width, height });
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * raster.width + left) * channels;
    part.data.set(raster.data.subarray(start, start + width * channels), y * width * channels);
  }
  return hasAlpha(part) ? premultiply(part) : inFileOrder(part);
}

/**
 * Samples of big-endian files with their two bytes swapped, there and back; other images are returned as they are.
 *
 * Pillow 12.3.0 weighs the samples of such files without regard to the order of their bytes. The result is noise, but
 * it is what a model sees there.
 */
function inFileOrder(raster: Raster): Raster {
  if (raster.mode !== "I;16B") return raster;
  return { ...raster, data: raster.data.map((sample) => ((sample & 255) << 8) | (sample >> 8)) };
}

function isWords(raster: Raster): raster is WordRaster {
  return raster.mode === "I;16" || raster.mode === "I;16B";
}

function hasAlpha(raster: Raster): raster is ByteRaster {
  return raster.mode === "LA" || raster.mode === "RGBA";
}
