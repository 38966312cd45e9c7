/**
 * The files of a tar archive, one after the other as it comes in, packed with gzip or not.
 *
 * Nothing is written anywhere: links, devices and paths mean nothing here. Memory is that of one file, which has a
 * limit, and of a piece of the stream.
 */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { OpenFlamingoError } from "../base/errors.js";
import type { Member } from "./samples.js";

export interface TarOptions {
  /** What errors call the archive. */
  readonly name: string;
  /** A larger file is left out; its `data` is undefined. Default: 256 MiB. */
  readonly maxMemberBytes?: number | undefined;
  /** An archive that unpacks to more is cut off there, as damaged. Default: 1 TiB. */
  readonly maxBytes?: number | undefined;
}

const regular: ReadonlySet<string> = new Set(["File", "OldFile", "ContiguousFile"]);

/**
 * The regular files of an archive.
 *
 * @throws OpenFlamingoError `data-invalid` for an archive that is cut off or corrupt, after all files before that place;
 *   what `source` throws
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  { name, maxMemberBytes = 2 ** 28, maxBytes = 2 ** 40 }: TarOptions,
): AsyncGenerator<Member, void> {
  let ready: Member[] = [];
  let fault: string | undefined;
  let isAtEnd = false;
  const parser = new Parser({
    onReadEntry(entry) {
      if (!regular.has(entry.type)) entry.resume();
      else collect(entry, maxMemberBytes, (member) => ready.push(member));
    },
    onwarn: (code) => {
      fault ??= faults[code] ?? "it breaks the rules of its format";
    },
  });
  parser.on("eof", () => {
    isAtEnd = true;
  });

  let bytes = 0;
  for await (const piece of inBlocks(unpacked(source, name))) {
    bytes += piece.length;
    if (bytes > maxBytes) fault ??= `it unpacks to more than ${maxBytes.toLocaleString("en-US")} bytes`;
    else parser.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    yield* ready;
    ready = [];
    if (fault !== undefined || isAtEnd) break;
  }
  // What the parser makes of the end of a file that is cut off is no file.
  if (fault === undefined && !isAtEnd) fault = "it ends before the mark of its end";
  if (fault !== undefined) throw damaged(name, fault, bytes);
}

/** The parser leaves less than a block for later, also where a file is complete with it: it gets whole blocks alone. */
async function* inBlocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array();
  for await (const piece of pieces) {
    const missing = rest.length === 0 ? 0 : Math.min(512 - rest.length, piece.length);
    rest = Buffer.concat([rest, piece.subarray(0, missing)]);
    if (rest.length === 512) {
      yield rest;
      rest = new Uint8Array();
    }
    const whole = piece.length - ((piece.length - missing) % 512);
    if (whole > missing) yield piece.subarray(missing, whole);
    if (whole < piece.length) rest = piece.subarray(whole);
  }
}

/** Gives the file when all of it is there. */
function collect(entry: ReadEntry, maxBytes: number, whole: (member: Member) => void): void {
  const data = entry.size <= maxBytes ? new Uint8Array(entry.size) : undefined;
  let at = 0;
  entry.on("data", (piece: Buffer) => {
    data?.set(piece, at);
    at += piece.length;
  });
  entry.on("end", () => whole({ name: entry.path, data }));
}

/** The archive's bytes, whether or not they are packed with gzip. */
async function* unpacked(source: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array, void> {
  const { start, pieces } = await beginning(source);
  if (!(start[0] === 0x1f && start[1] === 0x8b)) {
    yield* pieces;
    return;
  }
  let failure: { readonly error: unknown } | undefined;
  const noted = (async function* () {
    try {
      yield* pieces;
    } catch (error) {
      failure = { error };
      throw error;
    }
  })();
  const gunzip = createGunzip();
  pipeline(Readable.from(noted), gunzip, () => {}); // the reader of gunzip gets its errors
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } catch {
    throw failure ? failure.error : damaged(name, "its gzip data are wrong or cut off");
  } finally {
    gunzip.destroy();
  }
}

/** The first two bytes of a stream, and all of it. */
async function beginning(source: AsyncIterable<Uint8Array>) {
  const rest = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  while (Buffer.concat(first).length < 2) {
    const next = await rest.next();
    if (next.done) break;
    first.push(next.value);
  }
  const pieces = (async function* () {
    try {
      yield* first;
      for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
    } finally {
      await rest.return?.();
    }
  })();
  return { start: Buffer.concat(first), pieces };
}

/** What the parser warns of, in words. */
const faults: Readonly<Record<string, string>> = {
  TAR_ENTRY_INVALID: "the header of a file is wrong",
  TAR_BAD_ARCHIVE: "it is cut off, or no tar archive",
};

function damaged(name: string, what: string, bytes?: number): OpenFlamingoError {
  const where = bytes === undefined ? "" : `, after ${bytes.toLocaleString("en-US")} bytes`;
  return new OpenFlamingoError("data-invalid", `${name}: is damaged as a tar archive${where}: ${what}`, {
    hint: "Get the shard again. What comes before the damage is used.",
  });
}
