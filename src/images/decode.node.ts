/**
 * Picture files → pixels, as Pillow 12 decodes them: in full size, not colour managed, not turned by EXIF.
 *
 * The decoder is sharp; that its pixels are Pillow's was measured format by format, and a format comes into
 * the table below only where they are.
 */
import { readFile } from "node:fs/promises";
import sharp, { type Metadata, type Sharp } from "sharp";
import { type ErrorCode, OpenFlamingoError } from "../base/errors.js";
import { type Format, formatOf } from "./formats.js";
import type { Mode, PictureSource, Raster } from "./picture.js";

/** Above this Pillow takes a picture for a decompression bomb. */
const pillowsLimit = 178_956_970;

/**
 * The formats that are read, each with the mode in which Pillow opens a file; any other format is refused by
 * name. Where sharp's metadata leave the mode open, a byte of the file's header tells it.
 */
const modeIn: { readonly [format in Format]?: (metadata: Metadata, file: Uint8Array) => Mode | undefined } = {
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
};

/** The colour space in which sharp hands out each mode's samples unchanged. */
const spaceOf: { readonly [mode in Mode]: string } = {
  "1": "b-w",
  L: "b-w",
  "I;16": "grey16",
  LA: "srgb", // as grey, sharp would drop the alpha
  P: "srgb",
  RGB: "srgb",
  RGBA: "srgb",
  CMYK: "cmyk",
};

export interface DecodeOptions {
  readonly signal?: AbortSignal | undefined;
  /** A picture of more pixels is refused; 178,956,970 unless given, as in Pillow. */
  readonly maxPixels?: number | undefined;
}

/**
 * Reads and decodes one picture: JPEG, PNG or WebP; of several in a file the first.
 *
 * @returns all its pixels, in the mode in which Pillow opens the file
 * @throws OpenFlamingoError `picture-missing` (no such file), `picture-unreadable` (a folder, empty, not a
 * picture, damaged, cut off, too large), `picture-unsupported` (a format, or a kind of it, that is not read)
 * @throws the signal's reason, if it is aborted by the time the file is read; decoding takes milliseconds
 * @example
 * const raster = await decodePicture("cat.jpg");
 */
export async function decodePicture(
  source: PictureSource,
  { signal, maxPixels = pillowsLimit }: DecodeOptions = {},
): Promise<Raster> {
  const name = source instanceof Uint8Array || source instanceof Blob ? "the picture" : String(source);
  const file = await readSource(source, name);
  signal?.throwIfAborted();

  const format = recognise(file, name);
  const modeOf = modeIn[format];
  if (!modeOf) {
    throw new OpenFlamingoError("picture-unsupported", `${name}: ${format} pictures are not read`, {
      hint: `Save the picture as PNG. Formats that are read: ${Object.keys(modeIn).join(", ")}.`,
    });
  }
  const damaged = (cause: unknown): never => {
    throw new OpenFlamingoError(
      "picture-unreadable",
      `${name}: this ${format} of ${count(file.length, "byte")} is damaged or cut off: it cannot be decoded`,
      { hint: "Get the file again, or open it in a picture editor and save it anew.", cause },
    );
  };

  // Warnings do not fail: a JPEG with stray bytes, as some cameras write it, gives the pixels that Pillow
  // gets too, and what is cut off is an error for both. The limit on pixels is checked below.
  const image = sharp(file, { failOn: "error", ignoreIcc: true, limitInputPixels: false });
  const metadata = await image.metadata().catch(damaged);
  const { width, height } = metadata;
  if (width * height > maxPixels) {
    const area = count(width * height, "pixel");
    throw new OpenFlamingoError(
      "picture-unreadable",
      `${name}: ${width} × ${height} is ${area}, the limit is ${count(maxPixels, "pixel")}`,
      { hint: "Scale the picture down, or raise maxPixels for a file you trust." },
    );
  }
  const mode = modeOf(metadata, file);
  if (!mode) {
    throw new OpenFlamingoError(
      "picture-unsupported",
      `${name}: a ${format} with ${count(metadata.channels, "channel")}, a kind that is not read`,
      { hint: "Save the picture as RGB." },
    );
  }
  return toRaster(mode, width, height, await decode(image, mode).catch(damaged));
}

function decode(image: Sharp, mode: Mode): Promise<Uint8Array> {
  image.pipelineColourspace(spaceOf[mode]).toColourspace(spaceOf[mode]);
  if (mode === "LA" || mode === "RGBA") image.ensureAlpha();
  else image.removeAlpha();
  return image.raw({ depth: mode === "I;16" ? "ushort" : "uchar" }).toBuffer();
}

function toRaster(mode: Mode, width: number, height: number, samples: Uint8Array): Raster {
  if (mode === "I;16") {
    // A copy, because samples of two bytes must begin at an even address.
    return { mode, width, height, data: new Uint16Array(new Uint8Array(samples).buffer) };
  }
  if (mode === "LA") {
    const data = new Uint8Array(2 * width * height);
    for (let i = 0; i < data.length; i += 2) {
      data[i] = samples[2 * i]!; // red, green and blue are equal
      data[i + 1] = samples[2 * i + 3]!;
    }
    return { mode, width, height, data };
  }
  return { mode, width, height, data: new Uint8Array(samples.buffer, samples.byteOffset, samples.length) };
}

async function readSource(source: PictureSource, name: string): Promise<Uint8Array> {
  try {
    if (source instanceof Uint8Array) return source;
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    return await readFile(source);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? "for a reason that was not given";
    const [code, found, hint] = unreadable[reason] ?? [
      "picture-unreadable",
      `cannot be read (${reason})`,
      "Check that it is a file and that you may read it.",
    ];
    throw new OpenFlamingoError(code, `${name}: ${found}`, { hint, cause });
  }
}

const noSuchFile = [
  "picture-missing",
  "there is no such file",
  "Check the path; a relative one starts at the folder in which the program runs.",
] as const;

/** What Node's reasons for not reading a file mean to the user: code, what was found, hint. */
const unreadable: { readonly [reason: string]: readonly [ErrorCode, string, string] } = {
  ENOENT: noSuchFile,
  ENOTDIR: noSuchFile,
  EISDIR: ["picture-unreadable", "is a folder, not a picture", "Name a picture in it."],
  ERR_INVALID_URL_SCHEME: [
    "picture-unsupported",
    "only file: URLs are read here",
    "Fetch the picture and pass its bytes.",
  ],
};

function recognise(file: Uint8Array, name: string): Format {
  const format = formatOf(file);
  if (format) return format;
  const hint = `Formats that are read: ${Object.keys(modeIn).join(", ")}.`;
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
