/** Files on disk: as byte sources, and as texts. */
import type { FileHandle } from "node:fs/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { type Fault, openInside } from "./insideFolder.node.js";
import { defaultLimits } from "./limits.js";
import { damaged } from "./messages.js";
import type { ModelPath } from "./modelPath.js";
import { type ByteSource, utf8 } from "./source.js";

/**
 * Opens a file for reading at any offset.
 *
 * @throws OpenFlamingoError "checkpoint-missing" where there is no file that can be read
 */
export async function openFile(at: ModelPath): Promise<ByteSource> {
  const opened = await openInside(at);
  if ("fault" in opened) throw missing(at, opened);
  const { file, size } = opened;
  const { path } = at;
  return {
    name: path,
    size,
    async read(offset, length) {
      const bytes = await readBytes(file, offset, length).catch((cause: unknown) => {
        throw damaged(path, `reading ${length} bytes from byte ${offset} on failed`, cause);
      });
      if (bytes.length < length) {
        const end = offset + bytes.length;
        throw damaged(path, `ends at byte ${end}; ${length} bytes from ${offset} on were expected`);
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

/** The error for a file of weights that cannot be opened. */
export const missing = ({ path }: ModelPath, { fault, hint, cause }: Fault): OpenFlamingoError =>
  new OpenFlamingoError("checkpoint-missing", `${path}: ${fault}`, { hint, cause });

/** Bytes of a file; fewer than `length` where it ends earlier. */
async function readBytes(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/**
 * A whole text file of a model: a description, a configuration, an index.
 *
 * @param limit bytes; a longer file is not read
 */
export async function readText(
  at: ModelPath,
  {
    limit = defaultLimits.headerBytes,
    signal,
  }: {
    limit?: number | undefined;
    signal?: AbortSignal | undefined;
  } = {},
): Promise<{ text: string } | Fault> {
  signal?.throwIfAborted();
  const opened = await openInside(at);
  if ("fault" in opened) return opened;
  const { file, size } = opened;
  const hint = "Is it the file that belongs there?";
  try {
    if (size > limit) return { fault: `takes ${size} bytes; at most ${limit} are read`, hint };
    const text = utf8(await readBytes(file, 0, size));
    signal?.throwIfAborted();
    return text === undefined ? { fault: "is not UTF-8", hint } : { text };
  } catch (cause) {
    signal?.throwIfAborted();
    return { fault: "cannot be read", hint, cause };
  } finally {
    await file.close();
  }
}
