/** Images of every format that is read, changed part by part; sums and lengths are made right again, mostly. */
import { crc32 } from "node:zlib";
import sharp from "sharp";
import { decodeImage } from "../../src/images/decode.node.js";
import { preprocess, toSquare } from "../../src/images/index.js";
import { bytes, le } from "../checkpoints/assemble.js";
import { bmp, gif, gifFrame, jpeg, png, tiff } from "../hostile/images.js";
import { bmp as bmpOf } from "../images/pillow/bmpVariants.js";
import { avif, clap } from "../images/pillow/orientationVariants.js";
import { changed, otherBytes, otherList, otherNumber } from "./change.js";
import type { FuzzKind, Random } from "./kind.js";

const latin1 = (file: Uint8Array): string => Buffer.from(file).toString("latin1");
const be = (value: bigint | number, width: number): string => [...le(value, width)].reverse().join("");
const number = (digits: string): bigint =>
  [...digits].reduce((sum, digit) => 256n * sum + BigInt(digit.charCodeAt(0)), 0n);
const reversed = (digits: string): string => [...digits].reverse().join("");

/** A file as parts that follow each other, and how they are put together again with right sums and lengths. */
interface Format {
  parts(file: string): string[];
  whole(parts: readonly string[]): string;
}

/** Parts of chunks: name, then data. */
const pngFormat: Format = {
  parts(file) {
    const parts: string[] = [file.slice(0, 8)];
    for (let at = 8; at + 12 <= file.length; ) {
      const length = Number(number(file.slice(at, at + 4)));
      parts.push(file.slice(at + 4, at + 8 + length));
      at += 12 + length;
    }
    return parts;
  },
  whole: ([signature = "", ...chunks]) =>
    signature +
    chunks.map((part) => be(Math.max(0, part.length - 4), 4) + part + be(crc32(bytes(part)), 4)).join(""),
};

/** Segments: marker, then what follows its length; what comes after the last is one part. */
const jpegFormat: Format = {
  parts(file) {
    const parts = [file.slice(0, 2)];
    let at = 2;
    while (file[at] === "\xff" && file[at + 1] !== "\xda" && at + 4 < file.length) {
      const length = Number(number(file.slice(at + 2, at + 4)));
      parts.push(file.slice(at, at + 2) + file.slice(at + 4, at + 2 + length));
      at += 2 + length;
    }
    return [...parts, file.slice(at)];
  },
  whole: (parts) =>
    parts
      .map((part, i) =>
        i === 0 || i === parts.length - 1 ? part : part.slice(0, 2) + be(part.length, 2) + part.slice(2),
      )
      .join(""),
};

/** Chunks of RIFF: name, then data. */
const webpFormat: Format = {
  parts(file) {
    const parts: string[] = [];
    for (let at = 12; at + 8 <= file.length; ) {
      const length = Number(number(reversed(file.slice(at + 4, at + 8))));
      parts.push(file.slice(at, at + 4) + file.slice(at + 8, at + 8 + length));
      at += 8 + length + (length % 2);
    }
    return parts;
  },
  whole(parts) {
    const chunks = parts.map((part) => {
      const length = Math.max(0, part.length - 4);
      return part.slice(0, 4) + le(length, 4) + part.slice(4) + (length % 2 ? "\0" : "");
    });
    const data = `WEBP${chunks.join("")}`;
    return `RIFF${le(data.length, 4)}${data}`;
  },
};

/** Boxes: name, then data. */
const avifFormat: Format = {
  parts(file) {
    const parts: string[] = [];
    for (let at = 0; at + 8 <= file.length; ) {
      const length = Math.max(8, Number(number(file.slice(at, at + 4))));
      parts.push(file.slice(at + 4, at + length));
      at += length;
    }
    return parts;
  },
  whole: (parts) => parts.map((part) => be(4 + part.length, 4) + part).join(""),
};

/** Pieces of a few bytes, without a length that could be made right. */
const pieces = (length: number): Format => ({
  parts: (file) => file.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [],
  whole: (parts) => parts.join(""),
});

const noise = Uint8Array.from({ length: 24 * 16 * 4 }, (_, i) => (i * 2654435761) >>> 24);
const image = (channels: 1 | 3 | 4) =>
  sharp(noise.subarray(0, 24 * 16 * channels), { raw: { width: 24, height: 16, channels } });
const files = (...encoders: readonly { toBuffer(): Promise<Buffer> }[]) =>
  Promise.all(encoders.map(async (encoder) => latin1(await encoder.toBuffer())));

const rgb = () => image(3);
const greys = Array.from({ length: 256 }, (_, i) => [i, i, i, 0]).flat();
const sound: readonly (readonly [Format, readonly string[]])[] = [
  [
    pngFormat,
    [
      png(2, 2, "\0abcdef\x04ghijkl"),
      png(3, 1, "\0\x50\x90\x51\x91\x52\x92", { colours: 4 }),
      png(2, 1, "\0\x12\x34\x56\x78", { bits: 16, colours: 0 }),
      ...(await files(
        rgb().png(),
        image(4).png({ progressive: true }),
        rgb().png({ palette: true }),
        rgb().toColourspace("rgb16").png(),
      )),
    ],
  ],
  [
    jpegFormat,
    [
      jpeg(16, 16),
      ...(await files(
        rgb().jpeg({ quality: 50 }),
        rgb().jpeg({ progressive: true }),
        rgb().toColourspace("cmyk").jpeg(),
        rgb()
          .keepExif()
          .withExif({ IFD0: { Copyright: "x" } })
          .jpeg(),
      )),
    ],
  ],
  [webpFormat, await files(rgb().webp(), image(4).webp(), image(4).webp({ lossless: true }))],
  [
    pieces(6),
    [gif(5, 4, gifFrame()), gif(2, 1, gifFrame().repeat(3)), ...(await files(rgb().gif({ colours: 8 })))],
  ],
  [
    pieces(12), // an entry of a directory
    [
      tiff(1),
      tiff(3),
      ...(await files(
        rgb().tiff({ compression: "deflate", predictor: "horizontal" }),
        rgb().tiff({ compression: "lzw" }),
        rgb().tiff({ compression: "jpeg" }),
        image(4).tiff({ compression: "none", tile: true, tileWidth: 16, tileHeight: 16 }),
        image(1).toColourspace("b-w").tiff({ compression: "ccittfax4", bitdepth: 1 }),
        rgb().withMetadata({ orientation: 6 }).tiff({ compression: "packbits" }),
      )),
    ],
  ],
  [
    avifFormat,
    [
      avif(["irot", "\x01"], ["imir", "\0"]),
      avif(["clap", clap]),
      ...(await files(rgb().avif({ effort: 0 }), image(4).avif({ effort: 0, chromaSubsampling: "4:4:4" }))),
    ],
  ],
  [
    pieces(4),
    [
      bmp(2, 2, "abcdef\0\0ghijkl\0\0"),
      ...[
        { header: 12, bits: 1, palette: [0, 0, 9, 255, 255, 0] },
        { header: 108, bits: 4, palette: greys.slice(0, 64) },
        { bits: 8, palette: greys },
        {
          bits: 8,
          compression: 1,
          palette: greys,
          pixels: [3, 7, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 1, 1, 9, 9, 0, 1],
        },
        {
          bits: 4,
          compression: 2,
          palette: greys.slice(4, 68),
          pixels: [5, 0x12, 0, 0, 0, 4, 0x34, 0x56, 0, 0, 5, 1, 0, 1],
        },
        { header: 124, bits: 32, compression: 3, masks: [0xff0000, 0xff00, 0xff, 0xff000000] },
        { bits: 16, compression: 3, masks: [0xf800, 0x7e0, 0x1f] },
      ].map((fields) => latin1(bmpOf(fields))),
    ],
  ],
];

/** A number of 1, 2 or 4 bytes somewhere, from either end, becomes another. */
function otherField(random: Random, part: string): string {
  const width = random.pick([1, 2, 2, 4, 4]);
  // Headers stand at the front.
  const at = random.below(random.once(3) ? part.length + 1 : Math.min(part.length + 1, 40));
  const digits = part.slice(at, at + width);
  if (digits.length < width) return part;
  const mask = (1n << BigInt(8 * width)) - 1n;
  const value = random.once(2)
    ? le(otherNumber(random, number(reversed(digits))) & mask, width)
    : be(otherNumber(random, number(digits)) & mask, width);
  return part.slice(0, at) + value + part.slice(at + width);
}

export const imagesKind: FuzzKind = {
  name: "images",
  // As many of each format.
  seeds: () =>
    sound.flatMap(([, seeds]) => Array.from({ length: 8 }, (_, i) => bytes(seeds[i % seeds.length]!))),
  mutate(random, seed) {
    const file = latin1(seed);
    const [format] = sound.find(([, seeds]) => seeds.includes(file))!;
    if (random.once(8)) return seed.subarray(0, random.below(seed.length));
    if (random.once(4)) return bytes(changed(random, file, [(old) => otherBytes(random, old)]));
    const one = (change: (part: string) => string) => (parts: readonly string[]) => {
      const at = random.below(parts.length);
      return parts.map((part, i) => (i === at ? change(part) : part));
    };
    const parts = changed<readonly string[]>(random, format.parts(file), [
      one((part) => otherBytes(random, part)),
      one((part) => otherField(random, part)),
      one((part) => otherField(random, part)),
      (old) => otherList(random, old),
    ]);
    return bytes(format.whole(parts));
  },
  async run(input, signal) {
    // Few pixels, so that many inputs can be read; how the limit holds is tested by itself.
    const raster = await decodeImage(input, { signal, maxPixels: 2 ** 20, orientation: "exif" });
    const square = await toSquare(raster, 8, { signal });
    const values = preprocess(square, { size: 8, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] });
    if (!values.every(Number.isFinite)) throw new Error("pixels that are no numbers");
  },
};
