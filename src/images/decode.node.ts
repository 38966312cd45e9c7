/**
 * Image files → pixels, as Pillow 12 decodes them: in full size, not colour managed, not turned by EXIF.
 *
 * What is no image, damaged, too large or of a kind that is not read is rejected with a specific error.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { openBmp } from "./bmp.js";
import { within } from "./deadline.js";
import { type Format, formatOf } from "./formats.js";
import type { ImageLimits, ImageSource, OpenImage, Raster } from "./image.js";
import { openGif, openWithSharp } from "./sharp.node.js";
import { isWeb, nameOf, readSource, type SourceOptions } from "./source.node.js";

/** `maxPixels` is that above which Pillow takes an image for a decompression bomb. */
const defaultLimits = { maxBytes: 2 ** 30, maxPixels: 178_956_970, maxSeconds: 30 };

/** The formats that are read; any other format is rejected with a specific error. */
const openers: {
  readonly [format in Format]?: (file: Uint8Array, signal: AbortSignal) => Promise<OpenImage>;
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

export interface DecodeOptions extends SourceOptions, ImageLimits {}

/**
 * Reads and decodes one image: JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP; of several in a file the first.
 *
 * @returns all its pixels, in the mode in which Pillow opens the file
 * @throws OpenFlamingoError `image-missing` (no such file), `image-unreadable` (a folder, empty, not a
 * image, damaged, cut off, beyond a limit), `image-unsupported` (a format, or a kind of it, that is not read; a
 * source that is not), `network` (it could not be fetched), `usage` (a limit that is no number above 0)
 * @throws the signal's reason, at once; what decodes the image by then ends by itself
 * @example
 * const raster = await decodeImage("cat.jpg");
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<Raster> {
  const limits = limitsOf(options);
  const name = nameOf(source);
  let file: Uint8Array | undefined;
  const late = () => {
    const code = !file && isWeb(name) ? "network" : "image-unreadable";
    const limit = count(limits.maxSeconds, "second");
    return new OpenFlamingoError(code, `${name}: was not ${file ? "decoded" : "read"} within ${limit}`, {
      hint: "Scale the image down, or raise maxSeconds for an image you trust.",
    });
  };
  return within(limits.maxSeconds, { signal: options.signal, late }, async (signal) => {
    file = await readSource(source, name, { ...options, ...limits, signal });
    signal.throwIfAborted();
    return decodeFile(file, name, { ...limits, signal });
  });
}

function limitsOf(options: ImageLimits): typeof defaultLimits {
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

/** @param name what errors call the image */
async function decodeFile(
  file: Uint8Array,
  name: string,
  { maxPixels, maxSeconds, signal }: typeof defaultLimits & { readonly signal: AbortSignal },
): Promise<Raster> {
  const format = recognise(file, name);
  const open = openers[format];
  if (!open) {
    throw new OpenFlamingoError("image-unsupported", `${name}: ${format} images are not read`, {
      hint: `Save the image as PNG. ${formatsRead}`,
    });
  }
  const damaged = (cause: unknown): never => {
    throw new OpenFlamingoError(
      "image-unreadable",
      `${name}: this ${format} of ${count(file.length, "byte")} cannot be decoded: damaged, cut off, or a rare kind`,
      { hint: "Get the file again, or open it in an image editor and save it anew.", cause },
    );
  };

  const { width, height, kind, decode } = await open(file, signal).catch(damaged);
  if (!decode) {
    throw new OpenFlamingoError(
      "image-unsupported",
      `${name}: a ${format} of ${kind}, a kind that is not read`,
      { hint: "Save the image as RGB." },
    );
  }
  if (width * height > maxPixels) {
    const area = count(width * height, "pixel");
    throw new OpenFlamingoError(
      "image-unreadable",
      `${name}: ${width} × ${height} is ${area}, the limit is ${count(maxPixels, "pixel")}`,
      { hint: "Scale the image down, or raise maxPixels for a file you trust." },
    );
  }
  return decode({ seconds: maxSeconds, signal }).catch(damaged);
}

function recognise(file: Uint8Array, name: string): Format {
  const format = formatOf(file);
  if (format) return format;
  const hint = formatsRead;
  if (file.length === 0) {
    throw new OpenFlamingoError("image-unreadable", `${name}: is empty (0 bytes)`, { hint });
  }
  const start = file.subarray(0, 16);
  const text = String.fromCharCode(...start);
  const found = /^[\t\n\r -~]+$/.test(text)
    ? `text that begins ${JSON.stringify(text)}`
    : `bytes that begin ${Array.from(start, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  throw new OpenFlamingoError("image-unreadable", `${name}: is not an image but ${found}`, { hint });
}

function count(n: number, unit: string): string {
  return `${n.toLocaleString("en-US")} ${unit}${n === 1 ? "" : "s"}`;
}
