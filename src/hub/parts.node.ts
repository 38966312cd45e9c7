/**
 * A file that is being fetched, and which of its blocks are there: what a killed process leaves for the next one.
 *
 * A block is noted after its bytes were written, so what is noted was written; that the content is right is for the
 * hash of the whole to say.
 */
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { diskErrors } from "./diskErrors.node.js";

export interface PartialFile {
  /** Where the bytes are. */
  readonly path: string;
  /** The first byte of a chunk that is missing; its end where none is. */
  nextOf(chunk: number): number;
  /** Bytes that are there. */
  done(): number;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Notes that all blocks of a chunk that end at or before `end` are written. */
  note(chunk: number, end: number): Promise<void>;
  close(): Promise<void>;
}

export interface Sizes {
  /** Bytes of the file. */
  readonly size: number;
  /** Bytes of a chunk, a multiple of the block's. */
  readonly chunk: number;
  /** Bytes of what is noted. */
  readonly block: number;
}

const headerBytes = 64;

/** @throws OpenFlamingoError `disk`, as all that it returns */
export async function openPartial(path: string, { size, chunk, block }: Sizes): Promise<PartialFile> {
  const notesPath = `${path}-blocks`;
  const header = Buffer.alloc(headerBytes);
  header.write(JSON.stringify({ version: 1, size, block }));
  const count = Math.ceil(size / block);
  await diskErrors(path, () => mkdir(dirname(path), { recursive: true }));
  const data = await diskErrors(path, () => openOrCreate(path));
  let notes: FileHandle | undefined;
  const close = async () => {
    await data.close();
    await notes?.close();
  };
  try {
    notes = await diskErrors(notesPath, () => openOrCreate(notesPath));
    const known = notes;
    const noted = await diskErrors(notesPath, () => known.readFile());
    const { size: written } = await data.stat();
    const fits = noted.subarray(0, headerBytes).equals(header) && noted.length === headerBytes + count;
    const has = new Uint8Array(count);
    if (fits) for (let i = 0; i < count; i++) has[i] = isNoted(i) ? 1 : 0;
    else {
      await diskErrors(notesPath, async () => {
        await known.truncate(0);
        await known.write(Buffer.concat([header, Buffer.alloc(count)]), 0, headerBytes + count, 0);
      });
    }
    function isNoted(i: number): boolean {
      return noted[headerBytes + i] === 1 && Math.min(size, (i + 1) * block) <= written;
    }
    const blocksOf = (c: number): [number, number] => [
      (c * chunk) / block,
      Math.ceil(Math.min(size, (c + 1) * chunk) / block),
    ];
    return {
      path,
      nextOf(c) {
        const [first, end] = blocksOf(c);
        let next = first;
        while (next < end && has[next]) next++;
        return Math.min(size, next * block);
      },
      done: () => has.reduce((sum, each, i) => sum + (each ? Math.min(block, size - i * block) : 0), 0),
      write: (bytes, offset) => diskErrors(path, () => writeAll(data, bytes, offset)),
      async note(c, end) {
        const [first, last] = blocksOf(c);
        for (let i = first; i < last && Math.min(size, (i + 1) * block) <= end; i++) {
          if (has[i]) continue;
          await diskErrors(notesPath, () => known.write(Uint8Array.of(1), 0, 1, headerBytes + i));
          has[i] = 1;
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function removePartial(path: string): Promise<void> {
  await rm(`${path}-blocks`, { force: true });
  await rm(path, { force: true });
}

const openOrCreate = (path: string): Promise<FileHandle> =>
  open(path, "r+").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return open(path, "wx+");
    throw error;
  });

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written);
    written += bytesWritten;
  }
}
