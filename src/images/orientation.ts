/**
 * How an image is to be turned before people look at it, as its metadata tell: 1 to 8, 1 being upright.
 *
 * Facts: EXIF 2.32, tag 274, and Pillow 12.3.0's Image.getexif: EXIF first, then XMP.
 */
import { directoryOf } from "./ifd.js";

const orientationTag = 274;

export interface Metadata {
  /** A TIFF without images, with "Exif" and two zeros in front, or without. */
  readonly exif?: Uint8Array | undefined;
  readonly xmp?: Uint8Array | undefined;
  /** Texts of a PNG, in which older programs keep EXIF data. */
  readonly comments?: readonly { readonly keyword: string; readonly text: string }[] | undefined;
}

/** @returns any number that the metadata have there; 1 where they have none */
export function orientationOf({ exif, xmp, comments }: Metadata): number {
  return exifOrientation(exif ?? rawProfile(comments)) ?? xmpOrientation(xmp) ?? 1;
}

/** Hexadecimal digits in lines, behind an empty line, the profile's name and its length. */
function rawProfile(comments: Metadata["comments"]): Uint8Array | undefined {
  const text = comments?.find(({ keyword }) => keyword === "Raw profile type exif")?.text;
  if (text === undefined) return undefined;
  const digits = text.split("\n").slice(3).join("").match(/../g) ?? [];
  return Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
}

function exifOrientation(exif: Uint8Array | undefined): number | undefined {
  if (!exif) return undefined;
  let start = 0;
  while (String.fromCharCode(...exif.subarray(start, start + 6)) === "Exif\0\0") start += 6;
  try {
    for (const { tag, value } of directoryOf(exif.subarray(start))) {
      if (tag === orientationTag) return value;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut off: there is no more to learn
  }
  return undefined;
}

function xmpOrientation(xmp: Uint8Array | undefined): number | undefined {
  const found = xmp && /tiff:Orientation(?:="|>)([0-9])/.exec(new TextDecoder("latin1").decode(xmp));
  return found ? Number(found[1]) : undefined;
}
