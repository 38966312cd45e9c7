/**
 * Small files that say how they are to be turned, each in its format's way, and in ways that are wrong: what Pillow
 * makes of them is in `orientation.json`, written by `pillow.py`.
 */
import { bytes, le } from "../../checkpoints/assemble.js";
import { chunk, png, tiff } from "../../hostile/images.js";

export interface Variant {
  readonly name: string;
  readonly file: Uint8Array;
}

const fromBase64 = (text: string) => Buffer.from(text, "base64").toString("latin1");
const be = (value: number, width: number): string => [...le(value, width)].reverse().join("");

/** 5 × 3 pixels, as Pillow 12.3.0 wrote them: grey, without loss, and in AVIF. */
const jpegBase = fromBase64(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/wAALCAADAAUBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAB//EAB4QAAEBCQAAAAAAAAAAAAAAAAIHAAUIFiZBQlFx/9oACAEBAAA/AHtKIYUrlsaIddsC11v/2Q==",
);
const webpBase = fromBase64(
  "UklGRjgAAABXRUJQVlA4TCwAAAAvBIAAAHcgEEgS2R91hYmYmvlPbAMFjSQ13wtdC57Qgie0ICyi/7G2nJvvDw==",
);
export const avifBase = fromBase64(
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAUQAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAABQAAAAMAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAWW1kYXQSAAoIOAhk0gIaDSAyQxICQ0qAQQQfIAAA/1wQXUyNK24x+4XVvf45hRxO3v7dEBnYMt7tUVUkbC8VE1FbGgULRLbrSKgvVPsSxDP8sdEqBQQ=",
);

const all = [1, 2, 3, 4, 5, 6, 7, 8];

/** EXIF data of one entry behind another. */
function exif(orientation: number, { littleEndian = true, type = 3, count = 1, tag = 274 } = {}): string {
  const number = littleEndian ? le : be;
  const value = type === 4 ? number(orientation, 4) : number(orientation, 2).padEnd(4, "\0");
  const entry = (tag: number, type: number, count: number, value: string) =>
    number(tag, 2) + number(type, 2) + number(count, 4) + value;
  const entries = entry(256, 3, 1, `${number(9, 2)}\0\0`) + entry(tag, type, count, value);
  return `${littleEndian ? "II*\0" : "MM\0*"}${number(8, 4)}${number(2, 2)}${entries}${number(0, 4)}`;
}
const xmp = (orientation: string) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation${orientation}</x:xmpmeta>`;

const segment = (data: string) => `\xff\xe1${be(data.length + 2, 2)}${data}`;
const jpeg = (...segments: string[]) =>
  jpegBase.slice(0, 2) + segments.map(segment).join("") + jpegBase.slice(2);
const exifSegment = (data: string) => `Exif\0\0${data}`;
const xmpSegment = (data: string) => `http://ns.adobe.com/xap/1.0/\0${data}`;

const row = (samples: number, y: number) => String.fromCharCode(0, ...Array.from({ length: 5 * samples }, (_, i) => (37 * i + 90 * y) & 255)); // biome-ignore format: one line
const rows = (samples: number) => [0, 1, 2].map((y) => row(samples, y)).join("");
const exifChunk = (data: string) => chunk("eXIf", data);
const pngOf = (extra: string) => png(5, 3, rows(3), { extra });
const textChunk = (name: string, text: string) => chunk("iTXt", `${name}\0\0\0\0\0${text}`);
/** As ImageMagick writes EXIF into a PNG. */
const rawProfile = (data: string) => {
  const all = `Exif\0\0${data}`;
  const hex = Buffer.from(all, "latin1").toString("hex");
  return chunk("tEXt", `Raw profile type exif\0\nexif\n${String(all.length).padStart(8)}\n${hex}\n`);
};

function webp(chunks: readonly (readonly [name: string, data: string])[]): string {
  const flags = chunks.reduce((sum, [name]) => sum | (name === "EXIF" ? 8 : 4), 0);
  const part = (name: string, data: string) =>
    name + le(data.length, 4) + data + (data.length % 2 ? "\0" : "");
  const extended = part("VP8X", `${String.fromCharCode(flags)}\0\0\0${le(4, 3)}${le(2, 3)}`);
  const body = `WEBP${extended}${webpBase.slice(12)}${chunks.map((chunk) => part(...chunk)).join("")}`;
  return `RIFF${le(body.length, 4)}${body}`;
}

/** The AVIF with properties more, all of them linked with its only item. */
export function avif(...properties: readonly (readonly [type: string, data: string])[]): string {
  const boxes = properties.map(([type, data]) => be(8 + data.length, 4) + type + data).join("");
  const [meta, iloc, iprp, ipco, ipma, mdat] = ["meta", "iloc", "iprp", "ipco", "ipma", "mdat"].map(
    (type) => avifBase.indexOf(type) - 4,
  ) as [number, number, number, number, number, number];
  const size = (at: number, more: number) => be(Number.parseInt(Buffer.from(avifBase.slice(at, at + 4), "latin1").toString("hex"), 16) + more, 4); // biome-ignore format: one line
  const more = boxes.length + properties.length;
  const links = properties.map((_, i) => String.fromCharCode(0x80 | (5 + i))).join("");
  const place = iloc + 22; // of the image's data
  return [
    avifBase.slice(0, meta),
    size(meta, more),
    avifBase.slice(meta + 4, place),
    size(place, more),
    avifBase.slice(place + 4, iprp),
    size(iprp, more),
    avifBase.slice(iprp + 4, ipco),
    size(ipco, boxes.length),
    avifBase.slice(ipco + 4, ipma),
    boxes,
    size(ipma, properties.length),
    avifBase.slice(ipma + 4, ipma + 18),
    String.fromCharCode(avifBase.charCodeAt(ipma + 18) + properties.length),
    avifBase.slice(ipma + 19, mdat),
    links,
    avifBase.slice(mdat),
  ].join("");
}

export const clap = be(3, 4) + be(1, 4) + be(2, 4) + be(1, 4) + be(0, 4) + be(1, 4) + be(0, 4) + be(1, 4);

function* jpegs(): Generator<[string, string]> {
  for (const o of [0, ...all, 9, 65535]) {
    yield [`JPEG ${o}`, jpeg(exifSegment(exif(o)))];
    yield [`JPEG ${o}, big-endian`, jpeg(exifSegment(exif(o, { littleEndian: false })))];
  }
  yield ["JPEG 6 of 32 bits", jpeg(exifSegment(exif(6, { type: 4 })))];
  yield ["JPEG 6 of 32 bits, big-endian", jpeg(exifSegment(exif(6, { type: 4, littleEndian: false })))];
  yield ["JPEG 6 of 8 bits", jpeg(exifSegment(exif(6, { type: 1 })))];
  yield ["JPEG 6 and 0", jpeg(exifSegment(exif(6, { count: 2 })))];
  yield ["JPEG without a value", jpeg(exifSegment(exif(6, { count: 0 })))];
  yield ["JPEG of another tag", jpeg(exifSegment(exif(6, { tag: 275 })))];
  yield ["JPEG in XMP", jpeg(xmpSegment(xmp('="8"/>')))];
  yield ["JPEG in XMP, as an element", jpeg(xmpSegment(xmp(">3</tiff:Orientation>")))];
  yield ["JPEG in XMP, of spaces", jpeg(xmpSegment(xmp(' = "3"')))];
  yield ["JPEG in EXIF and XMP", jpeg(exifSegment(exif(6)), xmpSegment(xmp('="8"/>')))];
  yield ["JPEG in XMP beside EXIF", jpeg(exifSegment(exif(1, { tag: 275 })), xmpSegment(xmp('="8"/>')))];
  yield ["JPEG upright in EXIF, turned in XMP", jpeg(exifSegment(exif(1)), xmpSegment(xmp('="8"/>')))];
}

function* others(): Generator<[string, string]> {
  for (const o of all) {
    yield [`PNG ${o}`, pngOf(exifChunk(exif(o)))];
    yield [`WebP ${o}`, webp([["EXIF", exif(o, { littleEndian: o % 2 === 0 })]])];
    yield [`TIFF ${o}`, tiff(1, { 274: o })];
  }
  for (const [colours, samples, bits] of [
    [0, 1, 8],
    [4, 2, 8],
    [6, 4, 8],
    [0, 2, 16],
    [2, 6, 16],
  ] as const) {
    for (const o of [2, 5, 6, 7]) {
      const file = png(5, 3, rows(samples), { colours, bits, extra: exifChunk(exif(o)) });
      yield [`PNG of kind ${colours}, ${bits} bits, ${o}`, file];
    }
  }
  for (const o of [2, 5, 6, 7]) {
    const palette = chunk("PLTE", String.fromCharCode(...Array.from({ length: 3 * 16 }, (_, i) => 5 * i)));
    const pixels = [0, 1, 2].map((y) => String.fromCharCode(0, 0, 1, 2, 3 + y, 4 * y)).join("");
    yield [`PNG of a palette, ${o}`, png(5, 3, pixels, { colours: 3, extra: palette + exifChunk(exif(o)) })];
    yield [`PNG of one bit, ${o}`, png(5, 3, "\0\xa8\0\x50\0\xc8", { colours: 0, bits: 1, extra: exifChunk(exif(o)) })]; // biome-ignore format: one line
  }
  yield ["PNG 8 as a raw profile of a text", pngOf(rawProfile(exif(8)) + textChunk("Comment", "a cat"))];
  yield ["PNG 6 as a raw profile", pngOf(rawProfile(exif(6)))];
  yield ["PNG in XMP", pngOf(textChunk("XML:com.adobe.xmp", xmp('="5"/>')))];
  yield ["WebP 6, with Exif in front", webp([["EXIF", `Exif\0\0${exif(6)}`]])];
  yield ["WebP in XMP", webp([["XMP ", xmp('="7"/>')]])];
}

function* avifs(): Generator<[string, string]> {
  const irot = (turns: number) => ["irot", String.fromCharCode(turns)] as const;
  const imir = (axis: number) => ["imir", String.fromCharCode(axis)] as const;
  yield ["AVIF", avif()];
  for (const turns of [0, 1, 2, 3]) {
    yield [`AVIF, turned by ${turns}`, avif(irot(turns))];
    for (const axis of [0, 1]) {
      yield [`AVIF, turned by ${turns}, mirrored in ${axis}`, avif(irot(turns), imir(axis))];
      yield [`AVIF, mirrored in ${axis}, turned by ${turns}`, avif(imir(axis), irot(turns))];
    }
  }
  for (const axis of [0, 1]) yield [`AVIF, mirrored in ${axis}`, avif(imir(axis))];
  yield ["AVIF, cut", avif(["clap", clap])];
  yield ["AVIF, cut and turned", avif(["clap", clap], irot(3))];
}

export const orientationVariants = (): Variant[] =>
  [...jpegs(), ...others(), ...avifs()].map(([name, file]) => ({ name, file: bytes(file) }));
