/**
 * Picture files → pixels, as Pillow 12 decodes them: in full size, not colour managed, not turned by EXIF.
 *
 * What is no picture, damaged, too large or of a kind that is not read is refused by name.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { openBmp } from "./bmp.js";
import { within } from "./deadline.js";
import { type Format, formatOf } from "./formats.js";
import type { OpenPicture, PictureLimits, PictureSource, Raster } from "./picture.js";
import { openGif, openWithSharp } from "./sharp.node.js";
import { isWeb, nameOf, readSource, type SourceOptions } from "./source.node.js";

/** `maxPixels` is that above which Pillow takes a picture for a decompression bomb. */
const defaultLimits = { maxBytes: 2 ** 30, maxPixels: 178_956_970, maxSeconds: 30 };

/** The formats that are read; any other format is refused by name. */
const openers: {
  readonly [format in Format]?: (file: Uint8Array, signal: AbortSignal) => Promise<OpenPicture>;
} = {
  JPEG: (file) => openWithSharp("JPEG", file),
  PNG: (file) => openWithSharp("PNG", file),
  WebP: (file) => openWithSharp("WebP", file),
  GIF: openGif,
  TIFF: (file) => openWithSharp("TIFF", file),
  AVIF: (file) => openWithSharp("AVIF", file),
  BMP: openBmp,
};
const formatsRead = `Formats that are read: ${Object.keys(openers).join(", ")}.`;

export interface DecodeOptions extends SourceOptions, PictureLimits {}

/**
 * Reads and decodes one picture: JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP; of several in a file the first.
 *
 * @returns all its pixels, in the mode in which Pillow opens the file
 * @throws OpenFlamingoError `picture-missing` (no such file), `picture-unreadable` (a folder, empty, not a
 * picture, damaged, cut off, beyond a limit), `picture-unsupported` (a format, or a kind of it, that is not read; a
 * source that is not), `network` (it could not be fetched), `usage` (a limit that is no number above 0)
 * @throws the signal's reason, at once; what decodes the picture by then ends by itself
 * @example
 * const raster = await decodePicture("cat.jpg");
 */
export async function decodePicture(source: PictureSource, options: DecodeOptions = {}): Promise<Raster> {
  const limits = limitsOf(options);
  const name = nameOf(source);
  let file: Uint8Array | undefined;
  const late = () => {
    const code = !file && isWeb(name) ? "network" : "picture-unreadable";
    const limit = count(limits.maxSeconds, "second");
    return new OpenFlamingoError(code, `${name}: was not ${file ? "decoded" : "read"} within ${limit}`, {
      hint: "Scale the picture down, or raise maxSeconds for a picture you trust.",
    });
  };
  return within(limits.maxSeconds, { signal: options.signal, late }, async (signal) => {
    file = await readSource(source, name, { ...options, ...limits, signal });
    signal.throwIfAborted();
    return decodeFile(file, name, { ...limits, signal });
  });
}

function limitsOf(options: PictureLimits): typeof defaultLimits {
  const limits = { ...defaultLimits };
  for (const name of ["maxBytes", "maxPixels", "maxSeconds"] as const) {
    const limit = options[name] ?? limits[name];
    if (!(limit > 0)) {
      throw new OpenFlamingoError("usage", `${name} is ${limit}, and must be a number above 0`, {
        hint: "Infinity is no limit.",
      });
    }
    limits[name] = limit;
  }
  return limits;
}

/** @param name what errors call the picture */
async function decodeFile(
  file: Uint8Array,
  name: string,
  { maxPixels, maxSeconds, signal }: typeof defaultLimits & { readonly signal: AbortSignal },
): Promise<Raster> {
  const format = recognise(file, name);
  const open = openers[format];
  if (!open) {
    throw new OpenFlamingoError("picture-unsupported", `${name}: ${format} pictures are not read`, {
      hint: `Save the picture as PNG. ${formatsRead}`,
    });
  }
  const damaged = (cause: unknown): never => {
    throw new OpenFlamingoError(
      "picture-unreadable",
      `${name}: this ${format} of ${count(file.length, "byte")} cannot be decoded: damaged, cut off, or a rare kind`,
      { hint: "Get the file again, or open it in a picture editor and save it anew.", cause },
    );
  };

  const { width, height, kind, decode } = await open(file, signal).catch(damaged);
  if (!decode) {
    throw new OpenFlamingoError(
      "picture-unsupported",
      `${name}: a ${format} of ${kind}, a kind that is not read`,
      { hint: "Save the picture as RGB." },
    );
  }
  if (width * height > maxPixels) {
    const area = count(width * height, "pixel");
    throw new OpenFlamingoError(
      "picture-unreadable",
      `${name}: ${width} × ${height} is ${area}, the limit is ${count(maxPixels, "pixel")}`,
      { hint: "Scale the picture down, or raise maxPixels for a file you trust." },
    );
  }
  return decode({ seconds: maxSeconds, signal }).catch(damaged);
}

function recognise(file: Uint8Array, name: string): Format {
  const format = formatOf(file);
  if (format) return format;
  const hint = formatsRead;
  if (file.length === 0) {
    throw new OpenFlamingoError("picture-unreadable", `${name}: is empty (0 bytes)`, { hint });
  }
  const start = file.subarray(0, 16);
  const text = String.fromCharCode(...start);
  const found = /^[\t\n\r -~]+$/.test(text)
    ? `text that begins ${JSON.stringify(text)}`
    : `bytes that begin ${Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  throw new OpenFlamingoError("picture-unreadable", `${name}: is not a picture but ${found}`, { hint });
}

function count(n: number, unit: string): string {
  return `${n.toLocaleString("en-US")} ${unit}${n === 1 ? "" : "s"}`;
}
