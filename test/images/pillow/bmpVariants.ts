/**
 * BMP files of every kind, sound, odd and damaged, always the same ones: what Pillow makes of each is in
 * `bmp.json`, written by `pillow.py`.
 */
import { type Random, randomOf } from "../../fuzz/kind.js";

export interface Variant {
  readonly name: string;
  readonly file: Uint8Array;
}

/** The fields of a file; what is left out is what a sound file has. */
export interface Bmp {
  readonly header?: number;
  readonly width?: number;
  /** Negative: rows from the top. */
  readonly height?: number;
  readonly bits?: number;
  readonly compression?: number;
  /** The number of colours that the header claims. */
  readonly colours?: number;
  /** Red, green, blue and alpha; where the header has no place for them they follow it. */
  readonly masks?: readonly number[];
  /** Blue, green, red, and from a header of 40 bytes on a byte more, for each entry. */
  readonly palette?: readonly number[];
  /** Bytes between the palette and the pixels. */
  readonly gap?: number;
  /** Where the file says that its pixels begin. */
  readonly offset?: number;
  readonly pixels?: readonly number[];
}

export const strideOf = (width: number, bits: number): number => 4 * Math.ceil((width * bits) / 32);

export function bmp(fields: Bmp, random: Random = randomOf("bmp", 0, 0)): Uint8Array {
  const { header = 40, width = 5, height = 3, bits = 24, compression = 0, masks = [], palette = [] } = fields;
  const info = new Uint8Array(Math.max(header, 8) + (header <= 40 ? 4 * masks.length : 0));
  const view = new DataView(info.buffer);
  view.setUint32(0, header, true);
  if (header === 12) {
    view.setInt16(4, width, true);
    view.setInt16(6, height, true);
    view.setUint16(8, 1, true);
    view.setUint16(10, bits, true);
  } else if (header >= 40) {
    view.setInt32(4, width, true);
    view.setInt32(8, height, true);
    view.setUint16(12, 1, true);
    view.setUint16(14, bits, true);
    view.setUint32(16, compression, true);
    view.setUint32(32, fields.colours ?? palette.length / 4, true);
    for (const [i, mask] of masks.entries()) {
      if (40 + 4 * i + 4 <= info.length) view.setUint32(40 + 4 * i, mask, true);
    }
  }
  const length = strideOf(width, bits) * Math.abs(height);
  const pixels = fields.pixels ?? Array.from({ length }, () => random.below(256));
  const start = 14 + info.length + palette.length + (fields.gap ?? 0);
  const file = new Uint8Array(start + pixels.length);
  file.set([0x42, 0x4d]);
  new DataView(file.buffer).setUint32(10, fields.offset ?? start, true);
  file.set(info, 14);
  file.set(palette, 14 + info.length);
  file.set(pixels, start);
  return file;
}

const headers = [12, 40, 52, 56, 64, 108, 124] as const;
/** Entries of 3 bytes in the oldest header, of 4 in all others. */
const entriesOf = (header: number, colours: readonly (readonly number[])[]): number[] =>
  colours.flatMap((colour) => (header === 12 ? colour : [...colour, 0]));
const greys = (count: number, step = 1) =>
  Array.from({ length: count }, (_, i) => [i * step, i * step, i * step].map((v) => v & 255));
const colours = (count: number, random: Random) =>
  Array.from({ length: count }, () => [random.below(256), random.below(256), random.below(256)]);

/** Every bit count under every header, from below and from above, in widths that fill their rows and do not. */
function* plain(random: Random): Generator<[string, Bmp]> {
  for (const header of headers) {
    for (const bits of [1, 2, 4, 8, 16, 24, 32]) {
      for (const [width, height] of [
        [1, 1],
        [7, 4],
        [32, 2],
        [13, -5],
        [9, header === 12 ? 3 : -3],
      ] as const) {
        if (header === 12 && height < 0) continue;
        const palette = bits > 8 ? [] : entriesOf(header, colours(2 ** bits, random));
        yield [`plain ${header}`, { header, width, height, bits, palette }];
      }
    }
  }
}

/** Palettes of greys, of too few entries and too many, and pixels that begin elsewhere. */
function* palettes(random: Random): Generator<[string, Bmp]> {
  for (const bits of [1, 4, 8]) {
    const all = 2 ** bits;
    const tables = {
      colours: colours(all, random),
      "colours, few": colours(Math.max(1, Math.trunc(all / 3)), random),
      "colours, many": colours(2 * all, random),
      greys: greys(all),
      "greys, few": greys(Math.max(1, Math.trunc(all / 3))),
      "greys, many": greys(300),
      "greys, scaled": greys(all, 255 / (all - 1)),
      "greys from white": greys(all, 255 / (all - 1)).reverse(),
      "black and white": [
        [0, 0, 0],
        [255, 255, 255],
      ],
      "white and black": [
        [255, 255, 255],
        [0, 0, 0],
      ],
      black: [[0, 0, 0]],
      red: [[0, 0, 255]],
      "300 colours": colours(300, random),
      none: [],
    };
    for (const [table, entries] of Object.entries(tables)) {
      for (const header of [12, 40]) {
        const palette = entriesOf(header, entries);
        const end = 14 + header;
        for (const fields of [
          {},
          { gap: 6 },
          { offset: end },
          { offset: 0 },
          { offset: 20 },
          { colours: 0 },
          { colours: 2, offset: end },
          { colours: 256 },
        ] satisfies Bmp[]) {
          yield [`palette of ${table}`, { header, width: 11, bits, palette, ...fields }];
        }
      }
    }
  }
  for (const count of [256, 257, 65_536, 65_537, 2 ** 31, 2 ** 32 - 1]) {
    yield [`${count} claimed`, { bits: 8, palette: entriesOf(40, colours(256, random)), colours: count }];
  }
}

/** Masks that Pillow knows, by bits, and some that it does not. */
const masksOf: { readonly [bits: number]: readonly (readonly number[])[] } = {
  16: [
    [0xf800, 0x7e0, 0x1f],
    [0x7c00, 0x3e0, 0x1f],
    [0x1f, 0x7e0, 0xf800],
    [0xf00, 0xf0, 0xf],
  ],
  24: [
    [0xff0000, 0xff00, 0xff],
    [0xff, 0xff00, 0xff0000],
  ],
  32: [
    [0xff0000, 0xff00, 0xff, 0],
    [0xff000000, 0xff0000, 0xff00, 0],
    [0xff000000, 0xff00, 0xff, 0],
    [0xff000000, 0xff0000, 0xff00, 0xff],
    [0xff, 0xff00, 0xff0000, 0xff000000],
    [0xff0000, 0xff00, 0xff, 0xff000000],
    [0xff000000, 0xff00, 0xff, 0xff0000],
    [0, 0, 0, 0],
    [0xff, 0xff00, 0xff0000, 0],
    [0x3ff00000, 0xffc00, 0x3ff, 0],
  ],
  8: [[0xe0, 0x1c, 0x3]],
};

function* bitFields(): Generator<[string, Bmp]> {
  for (const header of headers.slice(1)) {
    for (const [bits, all] of Object.entries(masksOf)) {
      for (const masks of all) {
        const name = `masks ${masks.map((mask) => mask.toString(16)).join(" ")}`;
        for (const height of [3, -2]) {
          const first = masks.slice(0, header === 52 ? 3 : header === 40 ? 3 : 4);
          yield [name, { header, bits: Number(bits), height, compression: 3, masks: first }];
        }
      }
    }
  }
  for (const compression of [4, 5, 6, 11, 2 ** 32 - 1]) {
    for (const bits of [0, 8, 24]) yield [`compression ${compression}`, { bits, compression }];
  }
  yield [
    "masks before pixels of no offset",
    { bits: 16, compression: 3, masks: masksOf[16]![0]!, offset: 0 },
  ];
}

/** Codes of run lengths: runs, single pixels, ends of rows, jumps, in any order and without care for the width. */
function runs(random: Random, { most = 60, tidy = false } = {}): number[] {
  const codes: number[] = [];
  for (let i = random.below(most); i >= 0; i--) {
    const code = random.below(tidy ? 8 : 12);
    if (code < 5) codes.push(1 + random.below(tidy ? 6 : 40), random.below(256));
    else if (code < 8) {
      const count = 3 + random.below(9);
      codes.push(0, count, ...Array.from({ length: count + (count % 2) }, () => random.below(256)));
    } else if (code < 10) codes.push(0, 0);
    else if (code === 10) codes.push(0, 2, random.below(9), random.below(3));
    else codes.push(random.below(3) === 0 ? 0 : random.below(256), random.below(256));
  }
  return [...codes, ...(random.once(5) ? [] : [0, 1])];
}

/** Whole rows, each with its end, as programs write them. */
const wholeRows = (width: number, height: number, random: Random): number[] =>
  Array.from({ length: height }, () => {
    const codes: number[] = [];
    for (let left = width; left > 0; ) {
      const count = 1 + random.below(Math.min(left, 9));
      if (count >= 3 && random.once(2)) {
        codes.push(0, count, ...Array.from({ length: count + (count % 2) }, () => random.below(256)));
      } else codes.push(count, random.below(256));
      left -= count;
    }
    return [...codes, 0, 0];
  }).flat();

function* runLengths(random: Random): Generator<[string, Bmp]> {
  for (let i = 0; i < 160; i++) {
    const [compression, bits] = random.pick([[1, 8], [1, 8], [2, 4], [2, 4], [1, 4], [2, 8], [1, 24], [2, 1]] as const); // biome-ignore format: pairs
    const [width, height] = [1 + random.below(12), 1 + random.below(7)];
    const shape = { width, height: random.once(3) ? -height : height, bits, compression };
    const grey = random.once(4);
    const palette = entriesOf(
      40,
      grey ? greys(256) : colours(random.once(4) ? 2 : 2 ** Math.min(bits, 8), random),
    );
    const tidy = random.once(3);
    const pixels = tidy
      ? [...wholeRows(width, height, random), 0, 1]
      : runs(random, { tidy: random.once(2) });
    yield ["run lengths", { ...shape, palette, pixels, gap: random.below(2) }];
  }
  const blackAndWhite = entriesOf(40, [[0, 0, 0], [255, 255, 255]]); // biome-ignore format: a pair
  yield ["run lengths of black and white", { width: 2, height: 1, bits: 8, compression: 1, palette: blackAndWhite, pixels: [2, 1] }]; // biome-ignore format: one line
}

/** Sizes and headers that make no sense. */
function* odd(): Generator<[string, Bmp]> {
  for (const header of [0, 3, 4, 11, 16, 39, 41, 60, 125, 2 ** 31]) {
    if (header < 1000) yield [`header of ${header}`, { header }];
  }
  for (const [width, height] of [
    [0, 3],
    [3, 0],
    [-3, 3],
    [70_000, 70_000],
    [2, -(2 ** 25)],
    [2 ** 31 - 1, 1],
  ] as const) {
    // biome-ignore format: pairs
    for (const bits of [8, 24]) yield [`${width} × ${height}`, { width, height, bits, pixels: Array(64).fill(9) }];
  }
  for (const bits of [0, 3, 12, 48, 64, 65_535]) yield [`${bits} bits`, { bits, pixels: Array(64).fill(9) }];
}

/** A sound file with a field changed, or cut off. */
function damaged(random: Random, file: Uint8Array): [string, Uint8Array] {
  if (random.once(3)) return ["cut off", file.slice(0, random.below(file.length))];
  const copy = file.slice();
  const at = random.below(Math.min(copy.length, 80));
  copy[at] = random.pick([0, 1, 2, 3, 4, 8, 16, 24, 32, 127, 255, random.below(256)]);
  return [`byte ${at} is ${copy[at]}`, copy];
}

export function bmpVariants(seed = 1): Variant[] {
  const random = randomOf("bmp", seed, 0);
  const files = [...plain(random), ...palettes(random), ...bitFields(), ...runLengths(random), ...odd()].map(
    ([name, fields]) => [name, bmp(fields, random)] as const,
  );
  const broken = Array.from({ length: 300 }, () => {
    const [name, file] = random.pick(files);
    const [how, copy] = damaged(random, file);
    return [`${name}, ${how}`, copy] as const;
  });
  return [...files, ...broken].map(([name, file], i) => ({ name: `${i} ${name}`, file }));
}
