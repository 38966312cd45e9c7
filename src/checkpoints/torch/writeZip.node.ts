/**
 * Writes a zip archive of stored entries as a stream of bytes, sums and sizes ahead of the data, as torch's reader and
 * ours want them.
 *
 * Format: PKWARE's APPNOTE.TXT 6.3.10, §4.3 (structure) and §4.5.3 (zip64). torch begins the data of each entry at a
 * multiple of 64 bytes, so that a file can be mapped (caffe2/serialize/inline_container.cc, `detail::getPadding`).
 */
import { crc32 } from "node:zlib";

/** An entry: its bytes are asked for twice, the first time for their sum. */
export interface WrittenEntry {
  readonly name: string;
  readonly bytes: () => Iterable<Uint8Array>;
}

const alignment = 64;

/** @param wideFrom sizes and places from here on are written in 64 bits; for tests: the format has room below 2^32 − 1 */
export function* zipFile(
  entries: Iterable<WrittenEntry>,
  { wideFrom = 0xffffffff }: { wideFrom?: number | undefined } = {},
): Generator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, bytes } of entries) {
    const entry = { name: new TextEncoder().encode(name), at, crc: 0, size: 0 };
    for (const piece of bytes()) {
      entry.crc = crc32(piece, entry.crc);
      entry.size += piece.length;
    }
    const header = localHeader(entry, wideFrom);
    yield header;
    yield* bytes();
    at += header.length + entry.size;
    directory.push(centralHeader(entry, wideFrom));
  }
  yield* directory;
  yield endOf(at, directory, wideFrom);
}

interface Entry {
  readonly name: Uint8Array;
  readonly at: number;
  readonly crc: number;
  readonly size: number;
}

const elsewhere = 0xffffffff;

/** Fields of so many bytes each, little-endian. */
function fields(...values: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Uint8Array {
  const all = new DataView(new ArrayBuffer(values.reduce((sum, [bytes]) => sum + bytes, 0)));
  let at = 0;
  for (const [bytes, value] of values) {
    if (bytes === 2) all.setUint16(at, value, true);
    else if (bytes === 4) all.setUint32(at, value, true);
    else all.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  return new Uint8Array(all.buffer);
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

/** Numbers that have no room in their own fields. */
const zip64Field = (values: readonly number[]): Uint8Array =>
  values.length === 0
    ? new Uint8Array()
    : fields([2, 1], [2, 8 * values.length], ...values.map((value) => [8, value] as const));

/** Midnight of 1 January 1980, the first time of the format: the same content is the same file. */
const [time, date] = [0, 0x21] as const;

/** What both headers of an entry have in common, from the version on. */
const common = ({ name, crc, size }: Entry, isWide: boolean, extra: number): Uint8Array =>
  fields(
    ...([
      [2, isWide ? 45 : 20],
      [2, 0x0800],
      [2, 0],
      [2, time],
      [2, date],
      [4, crc],
    ] as const), // names are UTF-8; stored
    ...([
      [4, isWide ? elsewhere : size],
      [4, isWide ? elsewhere : size],
      [2, name.length],
      [2, extra],
    ] as const),
  );

function localHeader(entry: Entry, wideFrom: number): Uint8Array {
  const isWide = entry.size >= wideFrom;
  const wide = zip64Field(isWide ? [entry.size, entry.size] : []);
  const end = entry.at + 30 + entry.name.length + wide.length + 4;
  const fill = (alignment - (end % alignment)) % alignment;
  const padding = joined(new TextEncoder().encode("FB"), fields([2, fill]), new Uint8Array(fill).fill(0x5a)); // as torch's
  return joined(
    fields([4, 0x04034b50]),
    common(entry, isWide, wide.length + padding.length),
    entry.name,
    wide,
    padding,
  );
}

function centralHeader(entry: Entry, wideFrom: number): Uint8Array {
  const isWide = entry.size >= wideFrom;
  const isFar = entry.at >= wideFrom;
  const wide = zip64Field([...(isWide ? [entry.size, entry.size] : []), ...(isFar ? [entry.at] : [])]);
  return joined(
    fields([4, 0x02014b50], [2, isWide || isFar ? 45 : 20]),
    common(entry, isWide, wide.length),
    // No comment, on the first disk, no attributes.
    fields([2, 0], [2, 0], [2, 0], [4, 0], [4, isFar ? elsewhere : entry.at]),
    entry.name,
    wide,
  );
}

function endOf(start: number, directory: readonly Uint8Array[], wideFrom: number): Uint8Array {
  const count = directory.length;
  const size = directory.reduce((sum, header) => sum + header.length, 0);
  const isWide = count >= 0xffff || size >= wideFrom || start >= wideFrom;
  const wideEnd = fields(
    ...([
      [4, 0x06064b50],
      [8, 44],
      [2, 45],
      [2, 45],
      [4, 0],
      [4, 0],
      [8, count],
      [8, count],
    ] as const),
    ...([
      [8, size],
      [8, start],
      [4, 0x07064b50],
      [4, 0],
      [8, start + size],
      [4, 1],
    ] as const), // then its locator
  );
  const [shownCount, shownSize, shownStart] = isWide ? [0xffff, elsewhere, elsewhere] : [count, size, start];
  const end = fields(
    ...([
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, shownCount],
      [2, shownCount],
    ] as const),
    ...([
      [4, shownSize],
      [4, shownStart],
      [2, 0],
    ] as const),
  );
  return isWide ? joined(wideEnd, end) : end;
}
