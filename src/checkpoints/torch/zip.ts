/**
 * The little of zip that torch archives need: where each entry's bytes lie.
 *
 * Format: PKWARE's APPNOTE.TXT 6.3.10, §4.3 (structure) and §4.5.3 (zip64). torch stores its tensors
 * uncompressed. Everything that the file says twice is compared, and every range is checked against the file,
 * before use.
 */
import { quoted } from "../../base/quoted.js";
import { defaultLimits, type OpenOptions } from "../limits.js";
import { damaged, rejected } from "../messages.js";
import { type ByteSource, numbersIn, utf8 } from "../source.js";

export interface ZipEntry {
  readonly name: string;
  /** Byte of the file where the entry's data starts. */
  readonly start: number;
  /** Bytes in the file. */
  readonly size: number;
  readonly crc: number;
  /** Why the entry cannot be read, where it cannot: "compressed (method 8)". */
  readonly unreadable: string | undefined;
}

/**
 * Reads an archive's directory: name → entry.
 *
 * @throws OpenFlamingoError "checkpoint-damaged" where the file is truncated or contradicts itself
 */
export async function readZip(
  source: ByteSource,
  { limits = defaultLimits, signal }: OpenOptions = {},
): Promise<ReadonlyMap<string, ZipEntry>> {
  const fail = (what: string) => damaged(source.name, `the archive's ${what}`);
  const directory = await findDirectory(source);
  if (directory.size > limits.directoryBytes) {
    throw fail(`directory takes ${directory.size} bytes; at most ${limits.directoryBytes} are read`);
  }
  const headers = await readDirectory(source, directory);

  const entries = new Map<string, ZipEntry>();
  let free = 0; // the first byte after the entry before
  for (const header of headers.sort((a, b) => a.localStart - b.localStart)) {
    signal?.throwIfAborted();
    const { name, size, crc, unreadable, localStart } = header;
    if (entries.has(name)) throw fail(`directory holds ${quoted(name)} twice`);
    if (localStart < free) throw fail(`${quoted(name)} overlaps the entry before it`);
    if (localStart + 30 + header.nameBytes.length > directory.start) {
      throw fail(
        `${quoted(name)} should start at byte ${localStart}, which is in the directory or behind it`,
      );
    }
    const start = await checkLocalHeader(source, header, directory.start);
    free = start + size;
    if (free > directory.start) throw fail(`${quoted(name)} of ${size} bytes reaches into the directory`);
    entries.set(name, { name, start, size, crc, unreadable });
  }
  return entries;
}

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const wideEndSignature = 0x06064b50;
const wideLocatorSignature = 0x07064b50;

/** A 32-bit field with this value has its true one in the zip64 extra field. */
const elsewhere = 0xffffffff;

const u16 = (bytes: DataView, at: number): number => bytes.getUint16(at, true);
const u32 = (bytes: DataView, at: number): number => bytes.getUint32(at, true);
const u64 = (bytes: DataView, at: number): number => Number(bytes.getBigUint64(at, true));

interface Directory {
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

/**
 * Where the directory lies, from the end record (22 bytes), or zip64's (56) with its locator (20) before
 * that.
 */
async function findDirectory(source: ByteSource): Promise<Directory> {
  const fail = (what: string) => damaged(source.name, `the archive's ${what}`);
  // The end record is the last thing in the file but for a comment of at most 65,535 bytes.
  const length = Math.min(source.size, 56 + 20 + 22 + 0xffff);
  const tailStart = source.size - length;
  const tail = numbersIn(await source.read(tailStart, new Uint8Array(length)));
  const isEnd = (at: number) => u32(tail, at) === endSignature && at + 22 + u16(tail, at + 20) === length;
  let at = length - 22;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) throw fail("end record is missing, as when the file was cut off");

  // Numbers of disks: of this record's, and of the directory's first. Entries on this disk, and on all.
  if (u32(tail, at + 4) !== 0) throw fail("other parts are in other files");
  const [counted, count] = [u16(tail, at + 8), u16(tail, at + 10)];
  if (counted !== count) throw fail(`end record says ${counted} entries, and ${count}`);

  let end = at;
  let directory = { count, size: u32(tail, at + 12), start: u32(tail, at + 16) };
  if (at >= 76 && u32(tail, at - 20) === wideLocatorSignature) {
    const narrow = directory;
    end = at - 76;
    directory = { count: u64(tail, end + 32), size: u64(tail, end + 40), start: u64(tail, end + 48) };
    if (u32(tail, end) !== wideEndSignature || u64(tail, at - 12) !== tailStart + end) {
      throw fail("zip64 end record is not where its locator says");
    }
    const follow = u64(tail, end + 4);
    if (follow !== 44) throw fail(`zip64 end record says that ${follow} bytes follow in it, not 44`);
    const agree = (short: number, none: number, wide: number) => short === none || short === wide;
    if (
      !agree(narrow.count, 0xffff, directory.count) ||
      !agree(narrow.size, elsewhere, directory.size) ||
      !agree(narrow.start, elsewhere, directory.start)
    ) {
      throw fail("two end records disagree");
    }
  }
  if (directory.start + directory.size !== tailStart + end) {
    const { start, size } = directory;
    throw fail(
      `directory of ${size} bytes at byte ${start} does not end at its end record, byte ${tailStart + end}`,
    );
  }
  return directory;
}

/** An entry as the directory has it. */
interface CentralHeader extends Omit<ZipEntry, "start"> {
  readonly nameBytes: Uint8Array;
  readonly flags: number;
  readonly method: number;
  /** Bytes when decompressed. */
  readonly unpacked: number;
  /** Byte of the file where the entry's own header starts. */
  readonly localStart: number;
}

const encryptedFlags = 0x2041; // encrypted, strongly encrypted, or with masked headers
const sizesFollowFlag = 0x0008; // the local header was written before the data's sizes were known

async function readDirectory(
  source: ByteSource,
  { start, size, count }: Directory,
): Promise<CentralHeader[]> {
  const fail = (what: string) => damaged(source.name, `the archive's directory ${what}`);
  const bytes = await source.read(start, new Uint8Array(size));
  const numbers = numbersIn(bytes);
  const headers: CentralHeader[] = [];
  for (let at = 0; at < size; ) {
    const here = `at byte ${start + at}`;
    if (at + 46 > size || u32(numbers, at) !== centralSignature) throw fail(`has no entry ${here}`);
    const nameEnd = at + 46 + u16(numbers, at + 28);
    const extraEnd = nameEnd + u16(numbers, at + 30);
    const next = extraEnd + u16(numbers, at + 32);
    if (next > size) throw fail(`ends inside the entry ${here}`);
    const nameBytes = bytes.subarray(at + 46, nameEnd);
    const name = utf8(nameBytes);
    if (name === undefined) throw fail(`has a name that is not UTF-8 ${here}`);

    // The zip64 field holds those of these three that have no room in their own, in this order.
    const wide = zip64Values(numbers, nameEnd, extraEnd);
    const [unpacked, packed, localStart] = widened(numbers, [at + 24, at + 20, at + 42], wide);
    if (unpacked === undefined || packed === undefined || localStart === undefined) {
      throw fail(`points to a zip64 field that is not there, ${here}`);
    }
    const flags = u16(numbers, at + 8);
    const method = u16(numbers, at + 10);
    if (method === 0 && packed !== unpacked) {
      throw fail(`stores ${quoted(name)} as it is, and yet ${unpacked} bytes in ${packed}`);
    }
    const packing = method === 0 ? undefined : `compressed (method ${method})`;
    const unreadable = flags & encryptedFlags ? "encrypted" : packing;
    headers.push({
      name,
      nameBytes,
      flags,
      method,
      crc: u32(numbers, at + 16),
      size: packed,
      unpacked,
      localStart,
      unreadable,
    });
    at = next;
  }
  if (headers.length !== count) throw fail(`holds ${headers.length} entries, its end record says ${count}`);
  return headers;
}

/** 32-bit fields, those that are elsewhere being the next of `wide`. */
const widened = (numbers: DataView, fields: readonly number[], wide: number[]): (number | undefined)[] =>
  fields.map((field) => (u32(numbers, field) === elsewhere ? wide.shift() : u32(numbers, field)));

/** The numbers in the zip64 field (kind 1) of an extra field; none where there is no such field. */
function zip64Values(numbers: DataView, start: number, end: number): number[] {
  const values: number[] = [];
  for (let at = start; at + 4 <= end; ) {
    const next = at + 4 + u16(numbers, at + 2);
    if (u16(numbers, at) === 1 && next <= end) {
      for (let value = at + 4; value + 8 <= next; value += 8) values.push(u64(numbers, value));
      return values;
    }
    at = next;
  }
  return values;
}

/** torch fills up to 64 bytes, so that tensors begin at a multiple of them; zip64 needs 20 more. */
const usualExtra = 128;

/** Compares an entry's own header with the directory's; gives the byte where its data starts. */
async function checkLocalHeader(source: ByteSource, header: CentralHeader, limit: number): Promise<number> {
  const { name, nameBytes, localStart, flags, method, crc, size, unpacked } = header;
  const fail = (what: string) => damaged(source.name, `the archive's ${quoted(name)} ${what}`);
  const nameEnd = 30 + nameBytes.length;
  // With the extra fields in the same reading, as far as they are of the usual length: an archive has hundreds of
  // these.
  const ahead = Math.max(nameEnd, Math.min(nameEnd + usualExtra, limit - localStart));
  let numbers = numbersIn(await source.read(localStart, new Uint8Array(ahead)));
  const isThere =
    u32(numbers, 0) === localSignature &&
    u16(numbers, 6) === flags &&
    u16(numbers, 8) === method &&
    u16(numbers, 26) === nameBytes.length &&
    nameBytes.every((byte, i) => byte === numbers.getUint8(30 + i));
  if (!isThere) throw fail(`is not at byte ${localStart} as its directory describes it`);
  const extraEnd = nameEnd + u16(numbers, 28);
  if (localStart + extraEnd > limit) throw fail("has a header that reaches into the directory");

  if (extraEnd > ahead) numbers = numbersIn(await source.read(localStart, new Uint8Array(extraEnd)));
  const sizes = widened(numbers, [22, 18], zip64Values(numbers, nameEnd, extraEnd));
  const said = [u32(numbers, 14), ...sizes.map((value) => value ?? "none")];
  const sizesFollow = (flags & sizesFollowFlag) !== 0;
  const meant = [crc, unpacked, size];
  if (!meant.every((value, i) => said[i] === value || (sizesFollow && said[i] === 0))) {
    throw fail(`says CRC and sizes [${said.join(", ")}] of itself, its directory [${meant.join(", ")}]`);
  }
  return localStart + extraEnd;
}

/** @throws OpenFlamingoError "checkpoint-rejected" for an entry that is compressed or encrypted */
export function requireReadable(source: ByteSource, { name, unreadable }: ZipEntry): void {
  if (unreadable === undefined) return;
  const hint =
    "torch stores tensors as they are: write the file again with torch.save, or unpack it and use `zip -0`.";
  throw rejected(source.name, `the archive's ${quoted(name)} is ${unreadable}`, hint);
}

/** Reads a whole entry of at most `limit` bytes and checks its sum. */
export async function readEntry(source: ByteSource, entry: ZipEntry, limit: number): Promise<Uint8Array> {
  requireReadable(source, entry);
  const fail = (what: string) => damaged(source.name, `the archive's ${quoted(entry.name)} ${what}`);
  if (entry.size > limit) throw fail(`takes ${entry.size} bytes; at most ${limit} are read`);
  const bytes = await source.read(entry.start, new Uint8Array(entry.size));
  if (crc32(bytes) !== entry.crc) throw fail("does not have the CRC that its directory says");
  return bytes;
}

/** CRC-32 as in zip: IEEE 802.3, lowest bit first. */
export function crc32(bytes: Uint8Array): number {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let crc = -1;
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
