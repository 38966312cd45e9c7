/** Files on disk as byte sources. */
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { defaultLimits } from "./limits.js";
import { damaged } from "./messages.js";
import { type ByteSource, utf8 } from "./source.js";

/**
 * Opens a file for reading at any offset.
 *
 * @throws OpenFlamingoError "checkpoint-missing" where there is no file that can be read
 */
export async function openFile(path: string): Promise<ByteSource> {
  const file = await openRegularFile(path);
  const { size } = await file.stat();
  return {
    name: path,
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file
          .read(bytes, filled, length - filled, offset + filled)
          .catch((cause: unknown) => {
            throw damaged(path, `reading ${length} bytes from byte ${offset} on failed`, cause);
          });
        if (bytesRead === 0) {
          throw damaged(
            path,
            `ends at byte ${offset + filled}; ${length} bytes from ${offset} on were expected`,
          );
        }
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

async function openRegularFile(path: string): Promise<FileHandle> {
  try {
    // Asked before opening: to open a named pipe is to wait for its writer.
    if ((await stat(path)).isFile()) return await open(path, "r");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const why =
      code === "ENOENT" || code === "ENOTDIR" ? "there is no such file" : `cannot be opened (${code})`;
    throw new OpenFlamingoError("checkpoint-missing", `${path}: ${why}`, { hint: "Check the path.", cause });
  }
  throw new OpenFlamingoError("checkpoint-missing", `${path}: is not a file`, {
    hint: "Name a file: .safetensors, .bin or .pt.",
  });
}

/**
 * A whole text file: an index, a description.
 *
 * @param fail makes the error from what is wrong with the file
 */
export async function readTextFile(
  path: string,
  fail: (what: string, cause?: unknown) => Error,
  { headerBytes } = defaultLimits,
): Promise<string> {
  const cannot = (cause: unknown) => {
    throw fail("cannot be read", cause);
  };
  const found = await stat(path).catch(cannot);
  if (!found.isFile()) throw fail("is not a file");
  const { size } = found;
  if (size > headerBytes) throw fail(`takes ${size} bytes; at most ${headerBytes} are read`);
  const text = utf8(await readFile(path).catch(cannot));
  if (text === undefined) throw fail("is not UTF-8");
  return text;
}
