/**
 * torch archives, changed header by header; sums, sizes and places are made right again, but for what shall be wrong.
 */
import { crc32 } from "node:zlib";
import { bytes, dictionary, float32, le, pickle, tensor, zip } from "../checkpoints/assemble.js";
import { hostileArchives } from "../hostile/archives.js";
import { changed, otherBytes, otherList, otherNumber } from "./change.js";
import { latin1, readFile } from "./checkpoint.js";
import type { FuzzKind, Random } from "./kind.js";

/** An entry: its two headers with names and extra fields, its data, and what follows that. */
interface Part {
  readonly local: string;
  readonly data: string;
  readonly after: string;
  readonly central: string;
}

/** An archive: its entries, and the records behind the directory. */
interface Archive {
  readonly parts: readonly Part[];
  readonly end: string;
}

const number = (file: string, at: number, width: number): bigint =>
  Array.from({ length: width }, (_, i) => BigInt(file.charCodeAt(at + i) || 0) << BigInt(8 * i)).reduce(
    (a, b) => a + b,
    0n,
  );
const u16 = (file: string, at: number) => Number(number(file, at, 2));
const u32 = (file: string, at: number) => Number(number(file, at, 4));

const put = (file: string, at: number, width: number, value: bigint | number): string =>
  file.slice(0, at) + le(value, width) + file.slice(at + width);

/** The parts of a sound archive whose sizes are in 32 bits. */
function archiveOf(file: string): Archive {
  const endAt = file.lastIndexOf("PK\x05\x06");
  const directory = u32(file, endAt + 16);
  const centrals: string[] = [];
  let at = directory;
  while (file.startsWith("PK\x01\x02", at)) {
    const length = 46 + u16(file, at + 28) + u16(file, at + 30) + u16(file, at + 32);
    centrals.push(file.slice(at, at + length));
    at += length;
  }
  const starts = [...centrals.map((central) => u32(central, 42)), directory];
  const parts = centrals.map((central, i): Part => {
    const start = starts[i]!;
    const dataStart = start + 30 + u16(file, start + 26) + u16(file, start + 28);
    const dataEnd = dataStart + u32(central, 20);
    return {
      local: file.slice(start, dataStart),
      data: file.slice(dataStart, dataEnd),
      after: file.slice(dataEnd, starts[i + 1]),
      central,
    };
  });
  return { parts, end: file.slice(at) };
}

/** The archive with right sums, sizes and places; fields with all bits set stay, as do sizes that follow the data. */
function mended({ parts, end }: Archive): Archive {
  let offset = 0;
  let length = 0;
  const set = (header: string, at: number, value: number) =>
    u32(header, at) === 0xffffffff ? header : put(header, at, 4, value);
  const made = parts.map((part): Part => {
    const crc = crc32(Buffer.from(part.data, "latin1"));
    const size = part.data.length;
    let { local, central } = part;
    for (const [at, value] of [
      [16, crc],
      [20, size],
      [24, size],
      [42, offset],
    ] as const) {
      central = set(central, at, value);
    }
    if (!(u16(local, 6) & 8)) {
      for (const [at, value] of [
        [14, crc],
        [18, size],
        [22, size],
      ] as const) {
        local = set(local, at, value);
      }
    }
    offset += local.length + size + part.after.length;
    length += central.length;
    return { ...part, local, central };
  });
  const record = end.lastIndexOf("PK\x05\x06");
  let right = end;
  for (const [at, width, value] of [
    [8, 2, parts.length],
    [10, 2, parts.length],
    [12, 4, length],
    [16, 4, offset],
  ] as const) {
    right = put(right, record + at, width, value);
  }
  if (right.startsWith("PK\x06\x06")) {
    for (const [at, value] of [
      [24, parts.length],
      [32, parts.length],
      [40, length],
      [48, offset],
      [64, offset + length],
    ] as const) {
      right = put(right, at, 8, value);
    }
  }
  return { parts: made, end: right };
}

const written = ({ parts, end }: Archive): string =>
  parts.map(({ local, data, after }) => local + data + after).join("") +
  parts.map(({ central }) => central).join("") +
  end;

/** Fields of fixed places: byte and width. */
// biome-ignore format: pairs
const localFields = [[0, 4], [4, 2], [6, 2], [8, 2], [14, 4], [18, 4], [22, 4], [26, 2], [28, 2]] as const;
// biome-ignore format: pairs
const centralFields = [[0, 4], [6, 2], [8, 2], [10, 2], [16, 4], [20, 4], [24, 4], [28, 2], [30, 2], [32, 2], [34, 2], [42, 4]] as const;
// biome-ignore format: pairs
const endFields = [[0, 4], [4, 2], [6, 2], [8, 2], [10, 2], [12, 4], [16, 4], [20, 2]] as const;
// biome-ignore format: pairs
const wideFields = [[0, 4], [4, 8], [16, 4], [20, 4], [24, 8], [32, 8], [40, 8], [48, 8], [56, 4], [60, 4], [64, 8], [72, 4]] as const;

type Fields = readonly (readonly [at: number, width: number])[];
function otherField(random: Random, header: string, fields: Fields): string {
  const [at, width] = random.pick(fields);
  return put(header, at, width, otherNumber(random, number(header, at, width)));
}

/** Changes a part without a care for the rest. */
function otherPart(random: Random, part: Part): Part {
  switch (random.below(6)) {
    case 0:
      return { ...part, local: otherField(random, part.local, localFields) };
    case 1:
      return { ...part, central: otherField(random, part.central, centralFields) };
    case 2: {
      // The same lie in both headers: flags, method.
      const [local, central] = random.pick([
        [6, 8],
        [8, 10],
      ] as const);
      const value = random.pick([0, 1, 8, 9, 0x40, 0x800, 0x2000, 12, 93, 0xffff]);
      return {
        ...part,
        local: put(part.local, local, 2, value),
        central: put(part.central, central, 2, value),
      };
    }
    case 3: {
      // An extra field: zip64's with values of its own, or another's.
      const values = Array.from({ length: random.below(4) }, () =>
        le(otherNumber(random, BigInt(part.data.length)), 8),
      ).join("");
      const extra =
        le(random.once(4) ? 0x4246 : 1, 2) + le(random.once(4) ? 0xffff : values.length, 2) + values;
      const wide = (header: string, at: number) => (random.once(2) ? put(header, at, 4, 0xffffffff) : header);
      return random.once(2)
        ? {
            ...part,
            central: wide(put(part.central, 30, 2, u16(part.central, 30) + extra.length), 24) + extra,
          }
        : { ...part, local: wide(put(part.local, 28, 2, u16(part.local, 28) + extra.length), 18) + extra };
    }
    case 4: {
      const name = random.pick([
        "m/data.pkl",
        "x/data.pkl",
        "m/byteorder",
        "m/data/0",
        "m/\xff",
        "",
        "m/data.pkl\0",
      ]);
      const named = (header: string, start: number, at: number) =>
        put(header.slice(0, start) + name + header.slice(start + u16(header, at)), at, 2, name.length);
      const [local, central] = [named(part.local, 30, 26), named(part.central, 46, 28)];
      return { ...part, central, local: random.once(3) ? part.local : local };
    }
    default:
      return random.once(3)
        ? { ...part, after: otherBytes(random, part.after) }
        : { ...part, data: otherBytes(random, part.data) };
  }
}

const numbers = float32(...Array(12).keys());
const entries = [
  {
    name: "m/data.pkl",
    data: pickle(dictionary({ w: tensor({ size: 12, shape: [3, 4], strides: [1, 3] }) })),
  },
  { name: "m/byteorder", data: "little" },
  { name: "m/data/0", data: numbers },
];
const late = { flags: 0x808, local: { crc: 0, size: 0 } };
const seeds = [
  zip(entries),
  zip(entries, { zip64: true }),
  zip(entries.map((entry) => ({ ...entry, ...late }))),
  zip(entries, { comment: "a comment" }),
];
const isArchive = (file: string) => file.startsWith("PK\x03\x04") && file.length < 5000;
/** Those are changed as bytes only. */
const hostile = hostileArchives.map((row) => row.bytes).filter(isArchive);
// Three times in four a sound one.
const corpus = [
  ...Array<string[]>(Math.ceil((3 * hostile.length) / seeds.length))
    .fill(seeds)
    .flat(),
  ...hostile,
].map(bytes);

export const zipKind: FuzzKind = {
  name: "zip",
  seeds: () => corpus,
  mutate(random, seed) {
    const file = latin1(seed);
    if (!seeds.includes(file)) return bytes(changed(random, file, [(old) => otherBytes(random, old)]));
    const one = (change: (part: Part) => Part) => (old: Archive) => {
      const at = random.below(old.parts.length);
      return { ...old, parts: old.parts.map((part, i) => (i === at ? change(part) : part)) };
    };
    const data = (part: Part): Part => ({ ...part, data: otherBytes(random, part.data) });
    const lists = (old: Archive) => ({ ...old, parts: otherList(random, old.parts) });
    let archive = archiveOf(file);
    // Half of the inputs are sound outside, so that what is inside is reached.
    if (random.once(2))
      archive = mended(changed(random, archive, [one(data), lists, one((p) => otherPart(random, p))]));
    else {
      archive = changed(random, random.once(4) ? mended(lists(archive)) : archive, [
        one((part) => otherPart(random, part)),
        one((part) => otherPart(random, part)),
        (old) => {
          const record = old.end.lastIndexOf("PK\x05\x06");
          if (record > 0 && random.once(2)) return { ...old, end: otherField(random, old.end, wideFields) };
          return {
            ...old,
            end: old.end.slice(0, record) + otherField(random, old.end.slice(record), endFields),
          };
        },
      ]);
    }
    const made = written(archive);
    return bytes(random.once(16) ? otherBytes(random, made) : made);
  },
  run: readFile,
};
