/**
 * BMP, which sharp does not read: all kinds that Pillow reads, pixel for pixel.
 *
 * Facts: Pillow 12.3.0, BmpImagePlugin.py and src/libImaging/Unpack.c.
 */
import { channelsOf, type OpenImage, type Raster } from "../image.js";
import { inTurns, type Steps, samplesOfAStep } from "../turns.js";
import { type BmpPixels, type Colour, readBmpHeader } from "./header.js";
import { unpackRuns } from "./runLengths.js";

/** @throws RangeError where the file is shorter than it says */
export async function openBmp(file: Uint8Array): Promise<OpenImage> {
  const { width, height, kind, pixels } = readBmpHeader(file);
  const decode: OpenImage["decode"] =
    pixels && (({ signal }) => inTurns(decoding(file, { width, height }, pixels), signal));
  if (pixels && !pixels.runLengths) requireRows(file, { width, height }, pixels);
  return { width, height, kind, decode };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The last row may lack the bytes that fill it up. */
function requireRows(file: Uint8Array, { width, height }: Size, { start, stride, bits }: BmpPixels): void {
  const row = Math.ceil((width * bits) / 8);
  if (row > stride || start + stride * (height - 1) + row > file.length) {
    throw new RangeError(`${width} × ${height} pixels from byte ${start} on, in ${file.length} bytes`);
  }
}

function* decoding(file: Uint8Array, size: Size, pixels: BmpPixels): Steps<Raster> {
  const { runLengths, mode } = pixels;
  if (!runLengths) return yield* rows(file, size, pixels);
  const numbers = yield* unpackRuns(file, { ...size, start: pixels.start, bits: runLengths });
  return yield* rows(numbers, size, { ...pixels, start: 0, stride: size.width, bits: 8, mode });
}

function* rows(
  file: Uint8Array,
  { width, height }: Size,
  { mode, start, stride, bits, fromTop, colour }: BmpPixels,
): Steps<Raster> {
  const channels = channelsOf[mode];
  const data = new Uint8Array(channels * width * height);
  // A multiple of 8 pixels, so that a part of a row begins with a byte.
  const most = 8 * Math.ceil(samplesOfAStep / 8 / channels);
  let done = 0;
  for (let y = 0; y < height; y++) {
    const row = start + stride * (fromTop ? y : height - 1 - y);
    for (let x = 0; x < width; x += most) {
      const part = file.subarray(row + (x * bits) / 8, row + stride);
      const to = channels * (y * width + x);
      unpack(part, { colour, bits }, data.subarray(to, to + channels * Math.min(most, width - x)));
      done += Math.min(most, width - x);
      if (done < most) continue;
      done = 0;
      yield;
    }
  }
  return { mode, width, height, data };
}

/** Fills `to` with the samples of the pixels at the front of `from`. */
function unpack(from: Uint8Array, { colour, bits }: { colour: Colour; bits: number }, to: Uint8Array): void {
  if ("samples" in colour) lookUp(from, { palette: colour.samples, bits }, to);
  else if ("greenBits" in colour) unpack16(from, colour.greenBits, to);
  else unpackBytes(from, { order: colour.order, bytes: bits / 8 }, to);
}

function unpackBytes(
  from: Uint8Array,
  { order, bytes }: { order: string; bytes: number },
  to: Uint8Array,
): void {
  const channels = order.includes("A") ? 4 : 3;
  for (let c = 0; c < channels; c++) {
    for (let at = order.indexOf("RGBA"[c]!), i = c; i < to.length; at += bytes, i += channels) {
      to[i] = from[at]!;
    }
  }
}

function lookUp(
  from: Uint8Array,
  { palette, bits }: { palette: Uint8Array; bits: number },
  to: Uint8Array,
): void {
  const channels = palette.length / 256;
  const last = 2 ** bits - 1;
  for (let i = 0, bit = 0; i < to.length; i += channels, bit += bits) {
    // The first pixel of a byte has its highest bits.
    const number = (from[bit >> 3]! >> (8 - bits - (bit & 7))) & last;
    for (let c = 0; c < channels; c++) to[i + c] = palette[channels * number + c]!;
  }
}

/** Five bits, or six, become eight as a fraction of 255, rounded down. */
function unpack16(from: Uint8Array, greenBits: 5 | 6, to: Uint8Array): void {
  const green = 2 ** greenBits - 1;
  for (let i = 0, at = 0; i < to.length; i += 3, at += 2) {
    const pixel = from[at]! + 256 * from[at + 1]!;
    to[i] = (((pixel >> (5 + greenBits)) & 31) * 255) / 31;
    to[i + 1] = (((pixel >> 5) & green) * 255) / green;
    to[i + 2] = ((pixel & 31) * 255) / 31;
  }
}
