/**
 * Files that grow step by step: what was written is in the system's hands at once, so that a killed process loses at most
 * the entry that it was about to write. Opened again, what belongs to later steps is cut off.
 */
import { type FileHandle, open } from "node:fs/promises";
import { diskError } from "../base/wholeFile.node.js";

export interface Appended {
  /** @throws OpenFlamingoError `disk`; the file then ends as before */
  append(bytes: Uint8Array): Promise<void>;
  /** Brings what was written to the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What stands at the beginning of bytes: an entry, its length and its step; more bytes are wanted; or neither. */
export type FindEntry = (
  bytes: Uint8Array,
) => { readonly length: number; readonly step: number } | "incomplete" | undefined;

/**
 * Opens a file for appending; it is made where there is none.
 *
 * @param lastStep entries of later steps are cut off, with all that follows them, and with what is no entry
 * @throws OpenFlamingoError `disk`
 */
export async function openAppended(path: string, lastStep: number, find: FindEntry): Promise<Appended> {
  const failing = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw diskError(path, error);
    }
  };
  const file = await failing(async () => {
    await (await open(path, "a")).close();
    return open(path, "r+");
  });
  let end: number;
  try {
    end = await failing(() => endOf(file, lastStep, find));
    await failing(() => file.truncate(end));
  } catch (error) {
    await file.close();
    throw error;
  }
  let last = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };
  return {
    append: (bytes) =>
      inTurn(() =>
        failing(async () => {
          try {
            for (let at = 0; at < bytes.length; ) {
              at += (await file.write(bytes, at, bytes.length - at, end + at)).bytesWritten;
            }
          } catch (error) {
            await file.truncate(end).catch(() => {});
            throw error;
          }
          end += bytes.length;
        }),
      ),
    sync: () => inTurn(() => failing(() => file.sync())),
    close: () => inTurn(() => file.close()),
  };
}

const pieceBytes = 2 ** 20;

/** Where the entries up to a step end. */
async function endOf(file: FileHandle, lastStep: number, find: FindEntry): Promise<number> {
  let end = 0; // in the file, of the entries that stay
  let rest = new Uint8Array(0);
  for (;;) {
    const piece = new Uint8Array(pieceBytes);
    const { bytesRead } = await file.read(piece, 0, pieceBytes, end + rest.length);
    const bytes = new Uint8Array(rest.length + bytesRead);
    bytes.set(rest);
    bytes.set(piece.subarray(0, bytesRead), rest.length);
    let at = 0;
    for (;;) {
      const entry = find(bytes.subarray(at));
      if (entry === "incomplete") break;
      if (entry === undefined || entry.step > lastStep) return end + at;
      at += entry.length;
    }
    end += at;
    if (bytesRead === 0) return end;
    rest = bytes.slice(at);
  }
}
