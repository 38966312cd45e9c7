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
    async read(offset, into) {
      const { length } = into;
      const filled = await fill(file, offset, into).catch((cause: unknown) => {
        throw damaged(path, `reading ${length} bytes from byte ${offset} on failed`, cause);
      });
      if (filled < length) {
        const end = offset + filled;
        throw damaged(path, `ends at byte ${end}; ${length} bytes from ${offset} on were expected`);
      }
      return into;
    },
    close: () => file.close(),
  };
}

/** The error for a file of weights that cannot be opened. */
export const missing = ({ path }: ModelPath, { fault, hint, cause }: Fault): OpenFlamingoError =>
  new OpenFlamingoError("checkpoint-missing", `${path}: ${fault}`, { hint, cause });

/** Reads a file from `offset` on. @returns how many bytes that were: fewer than there is room for where it ends */
async function fill(file: FileHandle, offset: number, into: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
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
    const bytes = new Uint8Array(size);
    const text = utf8(bytes.subarray(0, await fill(file, 0, bytes)));
    signal?.throwIfAborted();
    return text === undefined ? { fault: "is not UTF-8", hint } : { text };
  } catch (cause) {
    signal?.throwIfAborted();
    return { fault: "cannot be read", hint, cause };
  } finally {
    await file.close();
  }
}
