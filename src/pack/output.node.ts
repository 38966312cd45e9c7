/** The folder that shards are written to: one process at a time, one work in a folder, and nothing else in it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { isObject, type JsonObject } from "../base/json.js";
import { withLock } from "../base/lock.node.js";
import { diskError, writeWhole } from "../base/wholeFile.node.js";
import { missingData } from "./dataErrors.js";

/** The file that says that a folder is complete, and what is in it. */
export const indexName = "index.json";

/**
 * Does work on an output folder that no other process works on, unless it is complete already.
 *
 * @param head what the work is; of a folder that was completed by the same work, the index is the result
 * @param journal the name of the file that says how far unfinished work is
 * @throws OpenFlamingoError `usage` for a folder that holds something else; `disk`; what the work throws
 */
export async function withOutput<Index extends object>(
  output: string,
  {
    head,
    journal,
    signal,
  }: { readonly head: JsonObject; readonly journal: string; readonly signal?: AbortSignal | undefined },
  work: () => Promise<Index>,
): Promise<Index> {
  await mkdir(output, { recursive: true }).catch((error: unknown) => {
    throw diskError(output, error);
  });
  const onWaiting = () => {
    throw other(output, "another process is writing to this folder", "Wait for it, or name another folder.");
  };
  return withLock(join(output, ".openflamingo-lock"), { signal, onWaiting }, async () => {
    const names = (await readdir(output)).filter((name) => !name.startsWith("."));
    if (names.includes(indexName)) return completed<Index>(output, head);
    if (names.length > 0 && !names.includes(journal)) {
      throw other(output, "the folder is not empty", "Name a folder that is empty or not there.");
    }
    const index = await work();
    await writeWhole(join(output, indexName), (file) =>
      file.writeFile(`${JSON.stringify({ ...index, of: head }, undefined, 1)}\n`),
    );
    await rm(join(output, journal), { force: true });
    return index;
  });
}

async function completed<Index extends object>(output: string, head: JsonObject): Promise<Index> {
  let index: unknown;
  try {
    index = JSON.parse(await readFile(join(output, indexName), "utf8"));
  } catch {
    index = undefined;
  }
  if (isObject(index) && JSON.stringify(index.of) === JSON.stringify(head)) {
    const { of: _, ...rest } = index;
    return rest as Index;
  }
  throw other(
    output,
    `its ${indexName} is of other lists, or of other options`,
    "Name another folder, or remove this one to begin anew.",
  );
}

const other = (output: string, what: string, hint: string): OpenFlamingoError =>
  new OpenFlamingoError("usage", `${output}: ${what}`, { hint });

/** The hash of a list's content. @throws OpenFlamingoError `data-missing`; the signal's reason */
export async function digestOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) hash.update(chunk);
  } catch (error) {
    signal?.throwIfAborted();
    throw missingData(path, error);
  }
  return hash.digest("hex");
}
