/**
 * What sharp leaves open in the first picture of a GIF: its mode, and the colours where it gives none.
 *
 * Facts: GIF 89a, and Pillow 12.3.0's GifImagePlugin.py. Nothing shows through there: pixels of the
 * transparent entry have its colour, and so has what the first picture leaves free of the canvas.
 */
import type { Mode, Raster } from "./picture.js";

interface Header {
  /** Red, green and blue of each entry. */
  readonly table: Uint8Array;
  readonly transparent: number | undefined;
  /** The part of the canvas that the picture covers, in pixels. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The mode in which Pillow opens the file; undefined without a colour table: each reader has its own then. */
export function gifMode(file: Uint8Array): Mode | undefined {
  const { table } = readHeader(file);
  if (table.length === 0) return undefined;
  return isGreys(table) ? "L" : "P";
}

/** The picture from all of its canvas in RGBA, as sharp decodes it. */
export function gifRaster({ width, height, data: rgba }: Raster, file: Uint8Array): Raster {
  const { table, transparent = 0, ...covered } = readHeader(file);
  const mode = isGreys(table) ? "L" : "P";
  const channels = mode === "L" ? 1 : 3; // red, green and blue of a grey are equal
  const data = new Uint8Array(channels * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [x, y] = [(pixel % width) - covered.left, Math.trunc(pixel / width) - covered.top];
    const inside = x >= 0 && x < covered.width && y >= 0 && y < covered.height;
    const [colours, from] = inside && rgba[4 * pixel + 3]! > 0 ? [rgba, 4 * pixel] : [table, 3 * transparent];
    for (let c = 0; c < channels; c++) data[channels * pixel + c] = colours[from + c]!;
  }
  return { mode, width, height, data };
}

/** Whether every entry is the grey of its own number. */
function isGreys(table: Uint8Array): boolean {
  return table.every((value, i) => value === Math.trunc(i / 3));
}

function readHeader(file: Uint8Array): Header {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  /** A colour table, as the flags before it say. */
  const tableAt = (start: number, flags: number) =>
    file.subarray(start, start + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0));

  const common = tableAt(13, view.getUint8(10));
  let transparent: number | undefined;
  let at = 13 + common.length;
  // Up to the picture: blocks of a label and a chain of parts that begin with their length.
  while (view.getUint8(at) === 0x21) {
    const isControl = view.getUint8(at + 1) === 0xf9;
    if (isControl && view.getUint8(at + 3) & 1) transparent = view.getUint8(at + 6);
    at += 2;
    while (view.getUint8(at) !== 0) at += 1 + view.getUint8(at);
    at += 1;
  }
  if (view.getUint8(at) !== 0x2c) throw new RangeError(`no picture at byte ${at}`);
  const own = tableAt(at + 10, view.getUint8(at + 9));
  const [left, top, width, height] = [1, 3, 5, 7].map((field) => view.getUint16(at + field, true));
  return {
    table: own.length > 0 ? own : common,
    transparent,
    left: left!,
    top: top!,
    width: width!,
    height: height!,
  };
}
