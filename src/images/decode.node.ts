/**
 * Image files → pixels, as Pillow 12 decodes them: in full size, not colour managed, not turned by EXIF.
 *
 * What is no image, damaged, too large or of a kind that is not read is rejected with a specific error.
 */
import { OpenFlamingoError } from "../base/errors.js";
import { openBmp } from "./bmp/open.js";
import { within } from "./deadline.js";
import { type Format, formatOf } from "./formats.js";
import type { ImageOptions, ImageSource, OpenImage, Raster } from "./image.js";
import { type CheckedImageOptions, parseImageOptions } from "./options.js";
import { type Opening, openAvif, openGif, openTiff, openWithSharp } from "./sharp.node.js";
import { nameOf, originOf, readSource, type SourceOptions } from "./source.node.js";

/** The formats that are read; any other format is rejected with a specific error. */
const openers: {
  readonly [format in Format]?: (file: Uint8Array, how: Opening) => Promise<OpenImage>;
} = {
  JPEG: (file, how) => openWithSharp("JPEG", file, how),
  PNG: (file, how) => openWithSharp("PNG", file, how),
  WebP: (file, how) => openWithSharp("WebP", file, how),
  GIF: openGif,
  TIFF: openTiff,
  AVIF: openAvif,
  BMP: openBmp,
};
const formatsRead = `Formats that are read: ${Object.keys(openers).join(", ")}.`;

export interface DecodeOptions extends SourceOptions, ImageOptions {}

/**
 * Reads and decodes one image: JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP; of several in a file the first.
 *
 * @returns all its pixels, in the mode in which Pillow opens the file
 * @throws OpenFlamingoError `image-missing` (no such file), `image-unreadable` (a folder, empty, not a
 * image, damaged, cut off, beyond a limit), `image-unsupported` (a format, or a kind of it, that is not read; a
 * source that is not), `network` (it could not be fetched), `usage` (an option that cannot be; a source that is none)
 * @throws the signal's reason, at once; what decodes the image by then ends by itself
 * @example
 * const raster = await decodeImage("cat.jpg");
 */
export async function decodeImage(source: ImageSource, options: DecodeOptions = {}): Promise<Raster> {
  const how = parseImageOptions(options);
  const name = nameOf(source);
  const origin = originOf(source);
  let file: Uint8Array | undefined;
  const late = () => {
    const code = !file && origin === "web" ? "network" : "image-unreadable";
    const limit = count(how.maxSeconds, "second");
    return new OpenFlamingoError(code, `${name}: was not ${file ? "decoded" : "read"} within ${limit}`, {
      hint: "Scale the image down, or raise maxSeconds for an image you trust.",
    });
  };
  return within(how.maxSeconds, { signal: options.signal, late }, async (signal) => {
    file = await readSource(source, name, { ...options, maxBytes: how.maxBytes, signal });
    signal.throwIfAborted();
    const format = recognise(file, name, { shown: origin === "local" });
    return decodeFile(file, name, { ...how, format, signal });
  });
}

/** @param name what errors call the image */
async function decodeFile(
  file: Uint8Array,
  name: string,
  {
    format,
    maxPixels,
    maxSeconds,
    orientation,
    signal,
  }: CheckedImageOptions & { readonly format: Format; readonly signal: AbortSignal },
): Promise<Raster> {
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

  const { width, height, kind, decode } = await open(file, { signal, upright: orientation === "exif" }).catch(
    damaged,
  );
  if (!decode) {
    throw new OpenFlamingoError(
      "image-unsupported",
      `${name}: a ${format} of ${kind}, a kind that is not read`,
      { hint: "Save the image as PNG, in RGB." },
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

/** @param shown whether an error may show how the file begins */
function recognise(file: Uint8Array, name: string, { shown }: { readonly shown: boolean }): Format {
  const format = formatOf(file);
  if (format) return format;
  const hint = formatsRead;
  if (file.length === 0) {
    throw new OpenFlamingoError("image-unreadable", `${name}: is empty (0 bytes)`, { hint });
  }
  if (!shown) {
    const found = `${count(file.length, "byte")} of no known image format`;
    throw new OpenFlamingoError("image-unreadable", `${name}: is not an image but ${found}`, { hint });
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
