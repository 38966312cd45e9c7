/** Rows of a zip archive whose members are JSON Lines, as MMC4's documents are kept. */
import { openPromise, type ZipFile } from "yauzl";
import { invalidData, missingData } from "./dataErrors.js";
import { jsonRows } from "./jsonRows.js";
import type { AnyRow } from "./rows.js";

/** Bytes that a member may have when it is decompressed, and members of an archive. */
const limits = { member: 16 * 2 ** 30, members: 10_000 };

/**
 * The rows of all members whose names end in .json, .jsonl or .ndjson, in their order, decompressed as they are read.
 *
 * @throws OpenFlamingoError `data-missing`; `data-invalid` for an archive that is damaged, cut off, encrypted or beyond
 *   the limits, or without such a member
 */
export async function* zipRows(path: string, list: number): AsyncGenerator<AnyRow, void> {
  const hint = "Get the file again. Wanted is a zip archive of JSON Lines, not encrypted.";
  const damaged = (cause: unknown): never => {
    const isOfSystem = typeof (cause as NodeJS.ErrnoException)?.syscall === "string";
    throw isOfSystem
      ? missingData(path, cause)
      : invalidData(path, "is no zip archive, damaged or cut off", hint, cause);
  };
  const archive: ZipFile = await openPromise(path, { autoClose: false }).catch(damaged);
  let before = 0; // rows of earlier members
  let members = 0;
  try {
    if (archive.entryCount > limits.members) {
      throw invalidData(path, `has ${archive.entryCount} members, at most ${limits.members} are read`, hint);
    }
    const entries = archive.eachEntry()[Symbol.asyncIterator]();
    for (;;) {
      const next = await entries.next().catch(damaged);
      if (next.done) break;
      const entry = next.value;
      if (!/\.(jsonl?|ndjson)$/i.test(entry.fileName)) continue;
      members++;
      if (entry.uncompressedSize > limits.member) {
        const sizes = [entry.uncompressedSize, limits.member].map((size) => size.toLocaleString("en-US"));
        throw invalidData(path, `has a member of ${sizes[0]} bytes, the limit is ${sizes[1]}`, hint);
      }
      const stream = await archive.openReadStreamPromise(entry).catch(damaged);
      const rows = jsonRows(stream as AsyncIterable<Uint8Array>, list);
      let last = before;
      try {
        for (;;) {
          const row = await rows.next().catch(damaged);
          if (row.done) break;
          last = before + row.value.number;
          yield { ...row.value, number: last };
        }
      } finally {
        stream.destroy();
      }
      before = last;
    }
    if (members === 0) throw invalidData(path, "has no member of JSON Lines (.jsonl, .json, .ndjson)", hint);
  } finally {
    archive.close();
  }
}
