/**
 * What sharp leaves open in the first image of a GIF: its mode, the colours where it gives none, and the canvas,
 * for which it takes the image where that is of some sizes, such as 640 × 480.
 *
 * Facts: GIF 89a, and Pillow 12.3.0's GifImagePlugin.py. Nothing shows through there: pixels of the
 * transparent entry have its colour, and so has what the first image leaves free of the canvas.
 */
import type { Raster } from "./image.js";
import type { Box } from "./resize.js";
import { type Steps, samplesOfAStep } from "./turns.js";

/** A GIF as far as its first image. */
export interface Gif {
  /** The file without the images after the first, of which there may be millions. */
  readonly first: Uint8Array;
  /** In pixels, enlarged where the image goes beyond it. */
  readonly canvas: { readonly width: number; readonly height: number };
  /** The mode in which Pillow opens the file; undefined without a colour table: each reader has its own then. */
  readonly mode: "L" | "P" | undefined;
  /** Red, green and blue of each entry. */
  readonly table: Uint8Array;
  readonly transparent: number | undefined;
  /** The part of the canvas that the image covers, in pixels. */
  readonly covered: Box;
}

/** The canvas, from what sharp decodes of it in RGBA: at least what the image covers. */
export function* gifRaster(
  decoded: Raster,
  { mode, table, transparent = 0, canvas, covered }: Gif,
): Steps<Raster> {
  const { width, height } = canvas;
  const { left, top } = covered;
  const [right, bottom] = [left + covered.width, top + covered.height];
  const channels = mode === "L" ? 1 : 3; // red, green and blue of a grey are equal
  const data = new Uint8Array(channels * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const x = pixel % width;
    const y = Math.trunc(pixel / width);
    const from = 4 * (y * decoded.width + x);
    const shows = x >= left && x < right && y >= top && y < bottom && decoded.data[from + 3]! > 0;
    for (let c = 0; c < channels; c++) {
      data[channels * pixel + c] = shows ? decoded.data[from + c]! : table[3 * transparent + c]!;
    }
    if (pixel % samplesOfAStep === 0) yield;
  }
  return { mode: mode ?? "P", width, height, data };
}

/** Whether every entry is the grey of its own number. */
function isGreys(table: Uint8Array): boolean {
  return table.every((value, i) => value === Math.trunc(i / 3));
}

/** @throws RangeError where the file is cut off, or has no image */
export function* readGif(file: Uint8Array): Steps<Gif> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const short = (at: number) => view.getUint16(at, true);
  /** A colour table, as the flags before it say. */
  const tableAt = (start: number, flags: number) =>
    file.subarray(start, start + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0));
  /** The end of a chain of parts, which begin with their length; the last is empty. */
  function* afterParts(start: number): Steps<number> {
    let at = start;
    for (let part = 1; view.getUint8(at) !== 0; part++) {
      at += 1 + view.getUint8(at);
      if (part % samplesOfAStep === 0) yield;
    }
    return at + 1;
  }

  const common = tableAt(13, view.getUint8(10));
  let transparent: number | undefined;
  let at = 13 + common.length;
  // Up to the image: blocks of a label and a chain of parts.
  for (let block = 1; view.getUint8(at) === 0x21; block++) {
    const isControl = view.getUint8(at + 1) === 0xf9;
    if (isControl && view.getUint8(at + 3) & 1) transparent = view.getUint8(at + 6);
    at = yield* afterParts(at + 2);
    if (block % samplesOfAStep === 0) yield;
  }
  if (view.getUint8(at) !== 0x2c) throw new RangeError(`no image at byte ${at}`);
  const own = tableAt(at + 10, view.getUint8(at + 9));
  const table = own.length > 0 ? own : common;
  const covered = { left: short(at + 1), top: short(at + 3), width: short(at + 5), height: short(at + 7) };
  return {
    // What stands before the chain: the descriptor, its table, and the size of the codes.
    first: file.subarray(0, yield* afterParts(at + 11 + own.length)),
    canvas: {
      width: Math.max(short(6), covered.left + covered.width),
      height: Math.max(short(8), covered.top + covered.height),
    },
    mode: table.length === 0 ? undefined : isGreys(table) ? "L" : "P",
    table,
    transparent,
    covered,
  };
}
