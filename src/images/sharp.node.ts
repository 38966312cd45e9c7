/**
 * The formats that sharp decodes, each in the mode in which Pillow 12 opens a file.
 *
 * That the samples are Pillow's was measured format by format and kind by kind, and a kind has a mode below
 * only where they are. AVIF alone is let in though it differs, as its decoders do. Measured on the goldens
 * (Pillow 12.3.0, sharp 0.35.5), in steps of 255: at most 16, 0.5 in the mean (4:2:0); at most 1, 0.2 in the
 * mean (4:4:4); at most 70, 0.7 in the mean (with alpha).
 */
import sharp, { type Metadata, type Sharp } from "sharp";
import { readAvif } from "./avif/header.js";
import { avifRaster } from "./avif/raster.js";
import type { Format } from "./formats.js";
import { gifRaster, readGif } from "./gif.js";
import type { ByteRaster, Mode, OpenImage, Raster, Until } from "./image.js";
import { orientationOf } from "./orientation.js";
import { readTiff } from "./tiff.js";
import { inTurns, type Steps, samplesOfAStep } from "./turns.js";

type ModeOf = (metadata: Metadata, file: Uint8Array) => Mode | undefined;

/** The mode of a file; where sharp's metadata leave it open, bytes of the file's header say it. */
const modeIn = {
  JPEG: ({ channels }) => (({ 1: "L", 3: "RGB", 4: "CMYK" }) as const)[channels as number],

  // Bit depth and colour type: alpha in the metadata may be a mere transparent colour, which Pillow drops.
  PNG: (_, { 24: bits, 25: colours }) => {
    if (colours === 0) return bits === 1 ? "1" : bits === 16 ? "I;16" : "L";
    if (colours === 4) return bits === 16 ? "RGBA" : "LA"; // Pillow knows no 16-bit grey with alpha
    return ({ 2: "RGB", 3: "P", 6: "RGBA" } as const)[colours as number];
  },

  // The extended form (VP8X) has a flag for alpha; without it sharp may still see some in an animation.
  WebP: ({ hasAlpha }, { 15: form, 20: flags }) =>
    (form === "X".charCodeAt(0) ? flags! & 0x10 : hasAlpha) ? "RGBA" : "RGB",
} as const satisfies { readonly [format in Format]?: ModeOf };

/** The colour space in which sharp hands out each mode's samples unchanged. */
const spaceOf: { readonly [mode in Mode]: string } = {
  "1": "b-w",
  L: "b-w",
  "I;16": "grey16",
  "I;16B": "grey16",
  F: "b-w",
  LA: "srgb", // as grey, sharp would drop the alpha
  P: "srgb",
  RGB: "srgb",
  RGBA: "srgb",
  CMYK: "cmyk",
};

/** What the caller wants of an image whose header is read. */
export interface Opening {
  readonly signal: AbortSignal;
  /** Whether it is turned as its metadata say. */
  readonly upright: boolean;
}

/** Reads the header. Errors, here and in decoding, are sharp's own and mean a damaged file. */
export async function openWithSharp(
  format: keyof typeof modeIn,
  file: Uint8Array,
  { upright }: Opening,
): Promise<OpenImage> {
  const { image, metadata, kind } = await open(file, {
    manyWarnings: format === "JPEG" && hasFewScans(file),
  });
  const modeOf: ModeOf = modeIn[format];
  if (upright) turn(image, orientationOf(metadata));
  return opened({ image, kind, mode: modeOf(metadata, file) }, metadata);
}

/** The same for a TIFF, which Pillow turns upright as it loads it, and no other format. */
export async function openTiff(file: Uint8Array): Promise<OpenImage> {
  const { mode, orientation, ...header } = readTiff(file);
  if (!mode) return { ...header, decode: undefined };
  const { image, metadata } = await open(file);
  turn(image, orientation ?? orientationOf({ xmp: metadata.xmp }));
  return opened({ image, kind: header.kind, mode }, metadata);
}

/** The same for an AVIF, without what it wants done with its pixels. */
export async function openAvif(file: Uint8Array, { upright }: Opening): Promise<OpenImage> {
  const avif = readAvif(file);
  const { image, metadata, kind } = await open(avif.plain);
  if (upright) turn(image, avif.orientation === 1 ? orientationOf({ xmp: metadata.xmp }) : avif.orientation);
  const mode = metadata.hasAlpha ? "RGBA" : "RGB";
  return {
    width: metadata.width,
    height: metadata.height,
    kind,
    decode: async (until) => {
      const decoded = (await decode(image, mode, until)) as ByteRaster; // as these modes are
      return inTurns(avifRaster(decoded, avif), until.signal);
    },
  };
}

/** The same for the first image of a GIF. */
export async function openGif(file: Uint8Array, { signal }: Opening): Promise<OpenImage> {
  const gif = await inTurns(readGif(file), signal);
  const { image, kind } = await open(gif.first);
  return {
    ...gif.canvas,
    kind,
    decode:
      gif.mode &&
      (async (until) => inTurns(gifRaster(await decode(image, "RGBA", until), gif), until.signal)),
  };
}

const opened = (
  { image, kind, mode }: { image: Sharp; kind: string; mode: Mode | undefined },
  { width, height }: Metadata,
): OpenImage => ({ width, height, kind, decode: mode && ((until) => decode(image, mode, until)) });

/** @param manyWarnings whether a JPEG may have any number of damaged stretches, as in Pillow; otherwise about fifty */
async function open(
  file: Uint8Array,
  { manyWarnings = false } = {},
): Promise<{ image: Sharp; metadata: Metadata; kind: string }> {
  // Warnings do not fail: a JPEG with stray bytes, as some cameras write it, gives the pixels that Pillow
  // gets too, and what is cut off is an error for both. The limit on pixels is the caller's.
  const options = { failOn: "error", ignoreIcc: true, limitInputPixels: false } as const;
  const image = sharp(file, { ...options, unlimited: manyWarnings });
  const metadata = await image.metadata();
  const { channels, depth, space } = metadata;
  return { image, metadata, kind: `${channels} × ${depth} a pixel (${space})` };
}

/**
 * Whether a JPEG has so few scans that the decoder's own limits are not needed: a progressive JPEG may have thousands,
 * each of which costs as much as an image. Scans of thumbnails and of later images are counted too.
 */
function hasFewScans(file: Uint8Array): boolean {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  let at = -1;
  for (let scans = 0; scans <= 100; scans++) {
    at = bytes.indexOf("ffda", at + 1, "hex");
    if (at < 0) return true;
  }
  return false;
}

/** What each EXIF orientation needs: left and right, or top and bottom, change places, then degrees clockwise. */
const turns: { readonly [orientation: number]: readonly [degrees: number, mirror?: "flop" | "flip"] } = {
  2: [0, "flop"],
  3: [180],
  4: [0, "flip"],
  5: [270, "flop"],
  6: [90],
  7: [90, "flop"],
  8: [270],
};

function turn(image: Sharp, orientation: number): void {
  const [degrees, mirror] = turns[orientation] ?? [0];
  if (degrees) image.rotate(degrees);
  if (mirror) image[mirror]();
}

async function decode(image: Sharp, mode: Mode, { seconds, signal }: Until): Promise<Raster> {
  // In whole seconds, of which 0 is no limit; after our own, when nobody waits for the work any more.
  image.timeout({ seconds: seconds < 3599 ? Math.ceil(seconds) + 1 : 0 });
  image.pipelineColourspace(spaceOf[mode]).toColourspace(spaceOf[mode]);
  if (mode === "LA" || mode === "RGBA") image.ensureAlpha();
  else image.removeAlpha();
  const words = mode === "I;16" || mode === "I;16B";
  const depth = words ? "ushort" : mode === "F" ? "float" : "uchar";
  const { data: samples, info } = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
  const { width, height } = info;

  const { buffer, byteOffset, length } = samples;
  if (words) return { mode, width, height, data: new Uint16Array(buffer, byteOffset, length / 2) };
  if (mode === "F") return { mode, width, height, data: new Float32Array(buffer, byteOffset, length / 4) };
  const data = new Uint8Array(buffer, byteOffset, length);
  if (mode === "LA") return { mode, width, height, data: await inTurns(redAndAlpha(data), signal) };
  return { mode, width, height, data };
}

/** Of RGBA the first and the last sample, moved together in the same memory. */
function* redAndAlpha(rgba: Uint8Array): Steps<Uint8Array> {
  for (let pixel = 0; 4 * pixel < rgba.length; pixel++) {
    rgba[2 * pixel] = rgba[4 * pixel]!; // red, green and blue of a grey are equal
    rgba[2 * pixel + 1] = rgba[4 * pixel + 3]!;
    if (pixel % samplesOfAStep === 0) yield;
  }
  return rgba.subarray(0, rgba.length / 2);
}
