/**
 * The first image of a TIFF by its tags: size, mode, orientation, and what it is.
 *
 * Facts: TIFF 6.0, "Image File Directory", its technical notes for the newer compressions, and the table of kinds in
 * Pillow 12.3.0's TiffImagePlugin.py.
 */
import { directoryOf } from "./ifd.js";
import type { Mode } from "./image.js";

export interface TiffHeader {
  readonly width: number;
  readonly height: number;
  /** For people. */
  readonly kind: string;
  /** The mode in which Pillow opens this TIFF; undefined for a kind that it or we do not read. */
  readonly mode: Mode | undefined;
  readonly orientation: number | undefined;
}

/** What is looked at, by the numbers of the tags. */
interface Tags {
  readonly bits: number;
  readonly samples: number;
  readonly colours: number | undefined;
  /** 1: whole numbers, 2: signed ones, 3: float. */
  readonly format: number;
  /** Of the first sample beyond colours; 0: no alpha, 1: multiplied into the colours, 2: not. */
  readonly extra: number | undefined;
  readonly compression: number;
  readonly bigEndian: boolean;
}

/** Compressions that the decoder knows. */
const known: { readonly [compression: number]: string } = {
  1: "",
  2: "CCITT RLE",
  3: "CCITT Group 3",
  4: "CCITT Group 4",
  5: "LZW",
  6: "JPEG (old)",
  7: "JPEG",
  8: "Deflate",
  32773: "PackBits",
  32946: "Deflate (old)",
};
const unknown: { readonly [compression: number]: string } = {
  34676: "SGI LogLuv",
  34677: "SGI LogLuv 24",
  34712: "JPEG 2000",
  34887: "LERC",
  34925: "LZMA",
  50000: "Zstandard",
  50001: "WebP",
  50002: "JPEG XL",
};
const colourNames: { readonly [photometric: number]: string } = {
  0: "grey, white is 0",
  1: "grey",
  2: "RGB",
  3: "palette",
  5: "CMYK",
  6: "YCbCr",
  8: "CIE L*a*b*",
};

/** @throws RangeError where the file is cut off */
export function readTiff(file: Uint8Array): TiffHeader {
  const values = new Map<number, number>();
  for (const { tag, value } of directoryOf(file)) values.set(tag, value);
  const tags: Tags = {
    bits: values.get(258) ?? 1,
    compression: values.get(259) ?? 1,
    colours: values.get(262),
    samples: values.get(277) ?? 1,
    extra: values.get(338),
    format: values.get(339) ?? 1,
    bigEndian: file[0] === "M".charCodeAt(0),
  };
  const [width = 0, height = 0] = [values.get(256), values.get(257)];
  const mode = tags.compression in known ? modeOf(tags) : undefined;
  return { width, height, mode, kind: kindOf(tags), orientation: values.get(274) };
}

function kindOf({ bits, samples, colours = Number.NaN, format, compression }: Tags): string {
  const sort = ["", "", "signed ", "float "][format] ?? `sample format ${format}, `;
  const meaning = colourNames[colours] ?? `photometric ${colours}`;
  const name = known[compression] ?? unknown[compression] ?? `method ${compression}`;
  return `${samples} × ${bits} bits a pixel (${sort}${meaning})${name && `, compressed with ${name}`}`;
}

/**
 * One kind comes out whole here that Pillow 12.3.0 garbles: big-endian float that is compressed.
 */
function modeOf({ bits, samples, colours, format, extra, compression, bigEndian }: Tags): Mode | undefined {
  const single = samples === 1;
  if (format === 3) return single && bits === 32 && (colours === 0 || colours === 1) ? "F" : undefined;
  if (format !== 1) return undefined;
  switch (colours) {
    case 0: // grey, white is 0; Pillow forgets that in 16 bits
    case 1: // grey, black is 0
      if (samples === 2) return colours === 1 && bits === 8 && extra === 2 ? "LA" : undefined;
      if (!single) return undefined;
      if (bits === 16) return colours === 0 ? undefined : bigEndian ? "I;16B" : "I;16";
      return ({ 1: "1", 2: "L", 4: "L", 8: "L" } as const)[bits];
    case 2:
      if ((bits !== 8 && bits !== 16) || samples < 3) return undefined;
      if (samples === 3) return "RGB";
      if (samples === 4 && (extra ?? 2) === 2) return "RGBA"; // sharp divides by alpha in another way than Pillow
      return extra === 0 && samples <= (bits === 8 ? 5 : 4) ? "RGB" : undefined;
    case 3:
      return single ? "P" : undefined;
    case 5:
      return bits === 8 && (samples === 4 || (extra === 0 && samples === 5)) ? "CMYK" : undefined;
    case 6:
      return compression === 7 ? "RGB" : undefined;
    default:
      return undefined;
  }
}
