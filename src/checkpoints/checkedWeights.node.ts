/**
 * Whether the weights of a prepared folder are those that were written. Comparing all of them with their checksums
 * takes three seconds of a 9B, too long for every opening: that they were compared is noted beside them, with what the
 * file system says of the file, and they are compared again when that is another, as of a file that was changed or
 * copied.
 */
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, readFile } from "node:fs/promises";
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { writeWhole } from "../base/wholeFile.node.js";
import { byteLengthOf, dataFile, type PreparedIndex, type PreparedTensor } from "./preparedIndex.js";

/** The note, beside the file of weights. */
export const checkedFile = "weights.checked.json";

export interface CheckOptions {
  /** Whether weights that were compared before are compared all the same. */
  readonly again?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with bytes that were compared, and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The file of weights of a folder, open; and the SHA-256 of its index. */
export interface WeightFile {
  readonly folder: string;
  readonly file: FileHandle;
  readonly index: PreparedIndex;
  readonly sha256: string;
}

/** @throws OpenFlamingoError `model-invalid` where the bytes of a weight are others; the signal's reason */
export async function requireChecked(weights: WeightFile, options: CheckOptions): Promise<void> {
  const { folder, file, index } = weights;
  const before = noteOf(weights, await file.stat({ bigint: true }));
  const noted = await readFile(join(folder, checkedFile), "utf8").catch(() => undefined);
  if (noted === before && !options.again) return;
  let done = 0;
  for (const tensor of index.tensors.values()) {
    options.signal?.throwIfAborted();
    if ((await hashOf(file, tensor)) !== tensor.sha256) {
      const what = `${folder}: the bytes of ${quoted(tensor.name)} in ${dataFile} are not those that were written`;
      throw new OpenFlamingoError("model-invalid", what, {
        hint: "The file was damaged, or not wholly copied: remove the folder, and copy it or prepare the model again.",
      });
    }
    done += byteLengthOf(tensor);
    options.onProgress?.(done, index.bytes);
  }
  options.onProgress?.(index.bytes, index.bytes);
  if (noted !== before) await noteChecked(weights, before);
}

/**
 * Notes that a folder's weights are as its index says, of a file that does not change any more.
 *
 * @param note what was said of the file before it was read
 */
export async function noteChecked(weights: WeightFile, note?: string): Promise<void> {
  const now = noteOf(weights, await weights.file.stat({ bigint: true }));
  if (note !== undefined && note !== now) return; // it was changed meanwhile
  // Without a note, as in a folder that is read-only, they are compared at each opening.
  await writeWhole(join(weights.folder, checkedFile), (file) => file.writeFile(now)).catch(() => {});
}

/** Which file it is, in which state: a copy has another number, and no program can set the time of its last change. */
const noteOf = (
  { sha256 }: Pick<WeightFile, "sha256">,
  { size, ino, mtimeNs, ctimeNs }: BigIntStats,
): string => `${JSON.stringify({ index: sha256, file: [size, ino, mtimeNs, ctimeNs].map(String) })}\n`;

/** Bytes that are read at a time. */
const pieceBytes = 2 ** 22;

/** The SHA-256 of a weight's bytes in the file, or of those that there are. */
export async function hashOf(file: FileHandle, tensor: PreparedTensor): Promise<string> {
  const hash = createHash("sha256");
  const end = tensor.offset + byteLengthOf(tensor);
  const piece = new Uint8Array(Math.min(pieceBytes, byteLengthOf(tensor)));
  for (let at = tensor.offset; at < end; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, end - at), at);
    if (bytesRead === 0) break; // it became shorter
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}
