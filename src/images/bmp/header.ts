/**
 * The headers of a BMP: the size, of which kind the pixels are, and where they begin.
 *
 * Facts: Windows' BITMAPFILEHEADER, BITMAPCOREHEADER and BITMAPINFOHEADER to BITMAPV5HEADER, OS/2's second header, and
 * Pillow 12.3.0's BmpImagePlugin.py: odd files are read as it reads them, and what it rejects is rejected.
 */
import type { ByteRaster } from "../image.js";
import { type Palette, paletteOf } from "./palette.js";

export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  /** What sets it apart from other BMPs, for people. */
  readonly kind: string;
  /** Absent for a kind that Pillow does not read. */
  readonly pixels: BmpPixels | undefined;
}

export interface BmpPixels {
  readonly mode: ByteRaster["mode"];
  /** The first byte of the row that is stored first, and the bytes from a row to the next. */
  readonly start: number;
  readonly stride: number;
  readonly bits: number;
  readonly fromTop: boolean;
  /** Present if pixels are run lengths: the bits of one. */
  readonly runLengths: 4 | 8 | undefined;
  readonly colour: Colour;
}

/** What the bits of a pixel mean: an entry of a palette, bytes in an order, or 5, 5 or 6, and 5 bits from blue on. */
export type Colour = Palette | { readonly order: string } | { readonly greenBits: 5 | 6 };

/** The headers' fields, as they are. */
interface Fields {
  readonly headerLength: number;
  readonly width: number;
  readonly height: number;
  readonly fromTop: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Of the palette. */
  readonly colours: number;
  /** Where the file says that its pixels begin; 0 if it does not. */
  readonly offset: number;
  /** With bit fields: the bits of a pixel, and the masks of red, green, blue and alpha in hexadecimal. */
  readonly masks: string;
}

const coreHeader = 12;
const headerLengths = [coreHeader, 40, 52, 56, 64, 108, 124];
const [uncompressed, runs8, runs4, bitFields] = [0, 1, 2, 3] as const;

/** What each number of bits means without masks; up to 8 there is a palette. */
const colourOf: { readonly [bits: number]: Colour | "palette" } = {
  1: "palette",
  4: "palette",
  8: "palette",
  16: { greenBits: 5 },
  24: { order: "BGR" },
  32: { order: "BGRX" },
};

/** The masks that Pillow knows; alpha counts in 32 bits only. */
const colourOfMasks: { readonly [masks: string]: Colour } = {
  "16 f800 7e0 1f": { greenBits: 6 },
  "16 7c00 3e0 1f": { greenBits: 5 },
  "24 ff0000 ff00 ff": { order: "BGR" },
  "32 ff0000 ff00 ff 0": { order: "BGRX" },
  "32 ff000000 ff0000 ff00 0": { order: "XBGR" },
  "32 ff000000 ff00 ff 0": { order: "BGXR" },
  "32 ff000000 ff0000 ff00 ff": { order: "ABGR" },
  "32 ff ff00 ff0000 ff000000": { order: "RGBA" },
  "32 ff0000 ff00 ff ff000000": { order: "BGRA" },
  "32 ff000000 ff00 ff ff0000": { order: "BGAR" },
  "32 0 0 0 0": { order: "BGRA" },
};

/** @throws RangeError where the file is shorter than its headers */
export function readBmpHeader(file: Uint8Array): BmpHeader {
  const fields = readFields(file);
  if (typeof fields === "number") {
    return { width: 0, height: 0, kind: `an unknown header (${fields} bytes)`, pixels: undefined };
  }
  const { width, height, bits, compression, colours, masks } = fields;
  let kind = `${bits} bits a pixel`;
  if (masks) kind += `, masks ${masks.slice(masks.indexOf(" ") + 1)}`;
  else if (compression !== uncompressed) kind += `, compression ${compression}`;
  if (bits <= 8 && colours > 256) kind += `, ${colours} colours`;
  return { width, height, kind, pixels: readPixels(file, fields) };
}

/** The fields, or the length of a header that is not known. */
function readFields(file: Uint8Array): Fields | number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const short = (at: number) => view.getUint16(at, true);
  const long = (at: number) => view.getUint32(at, true);
  const [offset, headerLength] = [long(10), long(14)];
  if (!headerLengths.includes(headerLength)) return headerLength;
  view.getUint8(14 + headerLength - 1); // is all of it there?

  if (headerLength === coreHeader) {
    const [width, height, bits] = [short(18), short(20), short(24)];
    const colours = 2 ** bits;
    const none = { fromTop: false, compression: uncompressed, masks: "" };
    return { headerLength, width, height, bits, colours, offset, ...none };
  }
  const [bits, compression] = [short(28), long(30)];
  const fromTop = view.getUint8(25) === 0xff; // the highest byte of a small negative height
  const masks = () =>
    [54, 58, 62, ...(bits === 32 ? [66] : [])]
      // In a shorter header there is no alpha.
      .map((at) => (at === 66 && headerLength < 56 ? 0 : long(at)).toString(16));
  return {
    headerLength,
    width: long(18),
    height: fromTop ? 2 ** 32 - long(22) : long(22),
    fromTop,
    bits,
    compression,
    colours: long(46) || 2 ** bits,
    offset,
    masks: compression === bitFields ? [bits, ...masks()].join(" ") : "",
  };
}

function readPixels(file: Uint8Array, fields: Fields): BmpPixels | undefined {
  const { headerLength, width, height, fromTop, bits, compression, colours, offset, masks } = fields;
  const meant = masks ? colourOfMasks[masks] : colourOf[bits];
  const runLengths: BmpPixels["runLengths"] =
    compression === runs8 ? 8 : compression === runs4 ? 4 : undefined;
  if (!meant || !(compression === uncompressed || masks || runLengths)) return undefined;
  if (width < 1 || height < 1) throw new RangeError(`${width} × ${height} pixels`);
  const stride = 4 * Math.ceil((width * bits) / 32);
  const common = { stride, fromTop, runLengths } as const;

  const afterHeader = 14 + headerLength;
  if (meant !== "palette") {
    if (runLengths) return undefined;
    const start = offset || afterHeader + (masks && headerLength === 40 ? 12 : 0); // the masks behind a header
    const mode = "order" in meant && meant.order.includes("A") ? "RGBA" : "RGB";
    return { ...common, mode, start, bits, colour: meant };
  }
  const entry = headerLength === coreHeader ? 3 : 4; // bytes
  const table = file.subarray(afterHeader, afterHeader + entry * colours);
  const palette = paletteOf(table, { entry, colours });
  // There is no way from run lengths to black and white in Pillow.
  if (!palette || (palette.mode === "1" && runLengths)) return undefined;
  // A writer that forgot the palette says that the pixels begin where it does.
  const start = offset === afterHeader ? afterHeader + entry * colours : offset || afterHeader + table.length;
  // A palette that is not needed is dropped, and with it what the header says of bits.
  const pixelBits = { "1": 1, L: 8, P: bits }[palette.mode];
  return { ...common, mode: palette.mode, start, bits: pixelBits, colour: palette };
}
