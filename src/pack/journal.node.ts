/**
 * What of a long work is done: a line of JSON for each piece, in a file that only grows. A line that a kill or a power
 * failure cut off, and all after it, counts as not written.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, type JsonObject } from "../base/json.js";
import { diskError } from "../base/wholeFile.node.js";
import { linesOf } from "./lines.js";

export interface Journal {
  /** @param sync brings it to the disk, so that a power failure does not lose it */
  append(entry: JsonObject, options?: { readonly sync?: boolean }): Promise<void>;
  close(): Promise<void>;
}

const longestEntry = 2 ** 20;

/**
 * Opens a journal, or begins one.
 *
 * @param head what the work is: a journal of other work is rejected
 * @param onEntry called for each entry that is there
 * @throws OpenFlamingoError `usage` for a journal of other work; `disk`
 */
export async function openJournal(
  path: string,
  head: JsonObject,
  onEntry: (entry: JsonObject) => void,
): Promise<Journal> {
  const whole = await readEntries(path, head, onEntry);
  try {
    const file = await open(path, whole === 0 ? "w" : "r+");
    await file.truncate(whole);
    let at = whole;
    let last: Promise<void> = Promise.resolve();
    const write = async (entry: JsonObject, sync: boolean) => {
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      await file.write(line, 0, line.length, at);
      at += line.length;
      if (sync) await file.sync();
    };
    const append: Journal["append"] = (entry, { sync = false } = {}) => {
      // One after the other, whoever else is at work.
      last = last.then(() => write(entry, sync));
      return last.catch((error: unknown) => {
        throw diskError(path, error);
      });
    };
    if (whole === 0) await append(head, { sync: true });
    return {
      append,
      async close() {
        await last.catch(() => {});
        await file.close();
      },
    };
  } catch (error) {
    throw diskError(path, error);
  }
}

/** @returns the bytes of the lines that are whole */
async function readEntries(
  path: string,
  head: JsonObject,
  onEntry: (entry: JsonObject) => void,
): Promise<number> {
  let whole = 0;
  let isOther = false;
  const stream = createReadStream(path, { highWaterMark: 2 ** 20 });
  try {
    // A line is whole when something follows its end: what is cut off has none.
    for await (const line of linesOf(endMarked(stream), longestEntry)) {
      const entry = line && entryOf(Buffer.from(line).toString("utf8"));
      if (entry === undefined) break;
      if (isOther) throw otherWork(path);
      if (whole > 0) onEntry(entry);
      else isOther = JSON.stringify(entry) !== JSON.stringify(head);
      whole += line!.length + 1;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw diskError(path, error);
  } finally {
    stream.destroy();
  }
  return isOther ? 0 : whole; // other work of which nothing is done yet is begun anew
}

/** A byte that no line of JSON has, so that the last line is whole only if it has an end. */
async function* endMarked(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* chunks;
  yield Uint8Array.of(0);
}

function entryOf(line: string): JsonObject | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return isObject(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

const otherWork = (path: string): OpenFlamingoError =>
  new OpenFlamingoError("usage", `${path}: was begun from other lists, or with other options`, {
    hint: "Name another folder for the output, or remove this one to begin anew.",
  });
