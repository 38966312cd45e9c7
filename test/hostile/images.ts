/** Images made to do harm, and what is no image but is given as one. Assembled by hand, header by header. */
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { le } from "../checkpoints/assemble.js";
import { bmp as bmpOf } from "../images/pillow/bmpVariants.js";
import type { HostileRow } from "./row.js";

const be = (value: number, width: number): string => [...le(value, width)].reverse().join("");
const latin1 = (file: Uint8Array): string => Buffer.from(file).toString("latin1");
const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");

export const chunk = (type: string, data: string): string =>
  be(data.length, 4) + type + data + be(crc32(bytesOf(type + data)), 4);

/** @param samples of all rows, each with its filter before it */
export function png(
  width: number,
  height: number,
  samples: string,
  { bits = 8, colours = 2, extra = "" } = {},
) {
  const header = be(width, 4) + be(height, 4) + String.fromCharCode(bits, colours, 0, 0, 0);
  const data = latin1(deflateSync(bytesOf(samples), { level: 1 }));
  return `\x89PNG\r\n\x1a\n${chunk("IHDR", header)}${extra}${chunk("IDAT", data)}${chunk("IEND", "")}`;
}

/** One pixel at (0, 0), and, where given, the size that it claims to have. */
export const gifFrame = (width = 1, height = 1): string =>
  `\x2c\0\0\0\0${le(width, 2)}${le(height, 2)}\0\x02\x02\x44\x01\0`;
export const gif = (width: number, height: number, frames: string): string =>
  `GIF89a${le(width, 2)}${le(height, 2)}\x80\0\0\0\0\0\xff\xff\xff${frames}\x3b`;

const commonTags = { 256: 2, 257: 1, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 2, 339: 1 };

/** Pages of 2 × 1 pixels of 8-bit grey, but for the tags that are given. */
export function tiff(pages: number, tags: { [tag: number]: number } = {}, next = 0): string {
  const count = Object.keys({ ...tags, ...commonTags }).length;
  const size = 2 + 12 * count + 4;
  const samples = 8 + pages * size;
  const all = { ...commonTags, 273: samples, ...tags };
  const entries = Object.entries(all).map(([tag, value]) => {
    const type = tag === "273" ? 4 : 3; // a place has 32 bits, all else 16
    return le(Number(tag), 2) + le(type, 2) + le(1, 4) + le(value, 4);
  });
  const page = (i: number) =>
    le(count, 2) + entries.join("") + le(i === pages - 1 ? next : 8 + (i + 1) * size, 4);
  return `II*\0${le(8, 4)}${Array.from({ length: pages }, (_, i) => page(i)).join("")}\x07\x09`;
}

export function bmp(width: number, height: number, rows: string): string {
  const sizes = le(40, 4) + le(width, 4) + le(height, 4) + le(1, 2) + le(24, 2);
  return `BM${le(54 + rows.length, 4)}${le(0, 4)}${le(54, 4)}${sizes}${"\0".repeat(24)}${rows}`;
}

const small = { create: { width: 16, height: 16, channels: 3, background: "#0963c7" } } as const;
const soundJpeg = latin1(await sharp(small).jpeg().toBuffer());
const soundAvif = latin1(await sharp(small).avif().toBuffer());
const soundWebp = latin1(await sharp(small).webp({ lossless: true }).toBuffer());

/** A JPEG of 16 × 16 pixels that says it has more. */
export function jpeg(width: number, height: number): string {
  const frame = soundJpeg.indexOf("\xff\xc0");
  return soundJpeg.slice(0, frame + 5) + be(height, 2) + be(width, 2) + soundJpeg.slice(frame + 9);
}

function webp(width: number, height: number): string {
  const size = soundWebp.indexOf("VP8L") + 9;
  return soundWebp.slice(0, size) + le(width - 1 + (height - 1) * 2 ** 14, 4) + soundWebp.slice(size + 4);
}

function avif(width: number, height: number): string {
  const size = soundAvif.indexOf("ispe") + 8;
  return soundAvif.slice(0, size) + be(width, 4) + be(height, 4) + soundAvif.slice(size + 8);
}

/** An SVG that wants a file and an address opened as it is drawn. */
export const svg = (file: string, address: string, before = ""): string =>
  `${before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">
<image xlink:href="file://${file}" width="9" height="9"/><image xlink:href="${address}" width="9" height="9"/>
<style>@import url("${address}");</style></svg>`;

export const pdf = (file: string, address: string): string =>
  `%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/URI/URI(${address})>>/AA<</F(${file})>>>>endobj\n%%EOF`;

const greys = Array.from({ length: 16 }, (_, i) => [i, i, i, 0]).flat();

/** Format, name, tries, bytes; the message is the same, but for format and length. */
// biome-ignore format: one row a line
const undecodable: readonly (readonly [format: string, name: string, tries: string, bytes: string])[] = [
  ["PNG", "PNG of no columns", "divide by a width of 0", png(0, 5, "\0")],
  ["PNG", "PNG of 2³¹ − 1 columns", "have a size overflow", png(2 ** 31 - 1, 1, "\0\0\0\0")],
  ["PNG", "PNG without samples", "show what stood in the memory before", png(9, 9, "")],
  ["JPEG", "JPEG of no rows", "have the height looked for in the data", jpeg(16, 0)],
  ["GIF", "GIF without an image", "have pixels made from nothing", gif(5, 5, "")],
  ["GIF", "GIF of a chain without end", "have the file read beyond its end", gif(5, 5, `\x21\xfe${"\xff".repeat(99)}`)],
  ["TIFF", "TIFF whose directory is itself beyond the end", "have memory beside the file read", `II*\0${le(2 ** 31, 4)}`],
  ["BMP", "BMP of 30,000 × 30,000", "have rows read that are not there", bmp(30000, 30000, "\0\0\0")],
  ["BMP", "BMP of run lengths for 10,000 × 10,000", "have 400 MB taken for four bytes", latin1(bmpOf({ width: 10_000, height: 10_000, bits: 8, compression: 1, pixels: [3, 7, 0, 1] }))],
  ["BMP", "BMP of run lengths that jump", "have the end of memory jumped over", latin1(bmpOf({ bits: 8, compression: 1, pixels: [1, 1, 0, 2, 255, 255] }))],
  ["BMP", "BMP whose pixels begin in 4 GiB", "have pixels made of other memory", latin1(bmpOf({ bits: 24, offset: 2 ** 32 - 1 }))],
  ["BMP", "BMP of 4 bits with greys for 8", "have rows read that overlap", latin1(bmpOf({ width: 40, bits: 4, palette: greys }))],
  ["AVIF", "AVIF of 100,000 empty boxes", "have boxes collected without end", soundAvif.slice(0, 32) + "\0\0\0\x08free".repeat(100_000) + soundAvif.slice(32)],
  ["BMP", "BMP of no rows", "divide by a height of 0", bmp(5, 0, "\0".repeat(16))],
];

type Row = readonly [name: string, tries: string, bytes: string, message: string];

// biome-ignore format: one row a line
const unreadable: readonly Row[] = [
  ["PNG of 30,000 × 30,000", "have 2.7 GB taken for 70 bytes", png(30000, 30000, "\0"), "30000 × 30000 is 900,000,000 pixels, the limit is 178,956,970 pixels"],
  ["JPEG of 65,500 × 65,500", "have 12.9 GB taken for 270 bytes", jpeg(65500, 65500), "65500 × 65500 is 4,290,250,000 pixels"],
  ["GIF canvas of 65,535 × 65,535", "have 17 GB taken for one pixel", gif(65535, 65535, gifFrame()), "65535 × 65535 is 4,294,836,225 pixels"],
  ["GIF image larger than its canvas", "have the canvas enlarged", gif(1, 1, gifFrame(60000, 50000)), "60000 × 50000 is 3,000,000,000 pixels"],
  ["WebP of 16,383 × 16,383", "have 1 GB taken for 40 bytes", webp(16383, 16383), "16383 × 16383 is 268,402,689 pixels"],
  ["TIFF of 30,000 × 30,001", "have rows looked for behind the end of the file", tiff(1, { 256: 30000, 257: 30001 }), "30000 × 30001 is 900,030,000 pixels"],
  ["AVIF of 40,000 × 40,000", "have planes taken for 1.6 billion pixels", avif(40000, 40000), "40000 × 40000 is 1,600,000,000 pixels"],
  ["nothing", "have a file without a first byte looked at", "", "is empty (0 bytes)"],
  ["text", "have text drawn", "Dear Sir or Madam", 'is not an image but text that begins "Dear Sir or Mada"'],
  ["HTML", "have a page drawn, with all that it names", '<!DOCTYPE html><img src="http://127.0.0.1/">', 'text that begins "<!DOCTYPE html><"'],
  ["random bytes", "find a decoder that takes anything", "\x9e\x37\x79\xb9\x7f\x4a\x7c\x15\xf3\x9c\xc0", "bytes that begin 9e 37 79 b9 7f 4a 7c 15 f3 9c c0"],
  ["SVG with a byte order mark", "get past a look at the first letters", svg("/x", "http://127.0.0.1/", "\xef\xbb\xbf"), "bytes that begin ef bb bf 3c 73 76 67"],
  ["SVG that begins as an AVIF might", "be drawn by a decoder that guesses", svg("/x", "http://127.0.0.1/", "<!--ftypavif-->"), 'text that begins "<!--ftypavif--><"'],
  ["compressed SVG", "be unpacked and drawn", "\x1f\x8b\x08\0\0\0\0\0\0\x03\xb3", "bytes that begin 1f 8b 08"],
  ["zip archive", "be unpacked", "PK\x03\x04\x14\0\0\0", "bytes that begin 50 4b 03 04"],
  ["control characters", "colour the terminal of who reads the error", "\x1b[31mred\x07", "bytes that begin 1b 5b 33 31"],
];

// biome-ignore format: one row a line
const unsupported: readonly Row[] = [
  ["SVG", "have a file and an address opened", svg("/etc/hosts", "http://127.0.0.1/"), "SVG images are not read"],
  ["SVG behind an XML declaration", "define an entity that is a file", `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY f SYSTEM "file:///etc/hosts">]><svg>&f;</svg>`, "SVG (XML) images are not read"],
  ["PDF", "have pages drawn and their actions run", pdf("/etc/hosts", "http://127.0.0.1/"), "PDF images are not read"],
  ["EPS", "have a program run in PostScript", "%!PS-Adobe-3.0 EPSF-3.0\n(/etc/hosts) (r) file", "PostScript images are not read"],
  ["HEIC", "reach a decoder of patents and overflows", "\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC images are not read"],
  ["JPEG XL", "reach a young decoder", "\xff\x0a\xfa\x7f\x01", "JPEG XL images are not read"],
  ["JPEG 2000", "reach an old decoder", "\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 images are not read"],
  ["icon", "hide an image in an image", "\0\0\x01\0\x01\0", "ICO images are not read"],
  ["Photoshop file", "have layers counted", "8BPS\0\x01", "Photoshop images are not read"],
  ["BigTIFF", "have sizes of 64 bits believed", "II+\0\x08\0\0\0", "BigTIFF images are not read"],
  ["BMP of a palette of 2³¹ colours", "have 8 GiB taken for a palette", latin1(bmpOf({ bits: 8, colours: 2 ** 31 })), "a BMP of 8 bits a pixel, 2147483648 colours"],
  ["BMP of unheard masks", "have bits shifted by what is not there", latin1(bmpOf({ bits: 16, compression: 3, masks: [0, 0, 1] })), "a BMP of 16 bits a pixel, masks 0 0 1"],
  ["TIFF of an unknown compression", "reach an unpacker that is seldom used", tiff(1, { 259: 34_887 }), "a TIFF of 1 × 8 bits a pixel (grey), compressed with LERC"],
  ["TIFF of signed samples", "have negative light", tiff(1, { 339: 2 }), "a TIFF of 1 × 8 bits a pixel (signed grey)"],
];

export const hostileImages: readonly HostileRow[] = [
  ...undecodable.map(([format, name, tries, file]) => {
    const message = `this ${format} of ${file.length.toLocaleString("en-US")} bytes cannot be decoded`;
    return ["image-unreadable", name, tries, file, message] as const;
  }),
  ...unreadable.map((row) => ["image-unreadable", ...row] as const),
  ...unsupported.map((row) => ["image-unsupported", ...row] as const),
].map(([code, name, tries, bytes, message]) => ({ name, tries, bytes, code, message }));
