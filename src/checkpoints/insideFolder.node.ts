/**
 * Finds and opens the files of a model: regular files that lie in the model's folder, whatever links there are.
 *
 * A path may change between being checked and being opened, so what was opened is compared with what was checked,
 * before and after. Node has no way to open relative to a folder, so a folder that is exchanged again and again at
 * the right moments could still mislead this; a single exchange cannot.
 */
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import type { ModelPath } from "./modelPath.js";

/** Why a file cannot be used, as the end of a sentence that begins with its path. */
export interface Fault {
  readonly fault: string;
  readonly hint: string;
  /** There is nothing by this name, not even a link. */
  readonly absent?: true;
  /** It is a link that leads out of the folder. */
  readonly leaves?: true;
  readonly cause?: unknown;
}

/** What there is at a path. */
export interface Found {
  /** The path without links. */
  readonly real: string;
  readonly stats: BigIntStats;
}

/** What `at` leads to, of any kind. */
export async function findInside({ path, folder }: ModelPath): Promise<Found | Fault> {
  try {
    const real = await realpath(path);
    if (folder !== undefined && !isAllowed(real, await realpath(folder))) return leaves;
    const stats = await lstat(real, { bigint: true });
    return stats.isSymbolicLink() ? replaced : { real, stats };
  } catch (error) {
    const fault = faultOf(error, folder === undefined);
    const isLink = async () => (await lstat(path).catch(() => undefined))?.isSymbolicLink();
    return fault.absent && (await isLink()) ? leadsNowhere : fault;
  }
}

/** The regular file at `at`, open for reading; nothing of another kind is opened, as a pipe or a device would act. */
export async function openInside(at: ModelPath): Promise<{ file: FileHandle; size: number } | Fault> {
  const found = await findInside(at);
  if ("fault" in found) return found;
  const kind = kindFault(found.stats);
  if (kind) return kind;
  let file: FileHandle | undefined;
  try {
    // Neither through a link nor waiting for the writer of a pipe, should one have come in the file's place.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    file = await open(found.real, flags);
    const opened = await file.stat({ bigint: true });
    const again = await findInside(at);
    if (isSame(found, { real: found.real, stats: opened }) && isSame(found, again)) {
      return { file, size: Number(opened.size) };
    }
  } catch (error) {
    await file?.close();
    const fault = faultOf(error, at.folder === undefined);
    return fault.absent || fault === goesRound ? replaced : fault; // it was there, and no link
  }
  await file.close();
  return replaced;
}

const isSame = (a: Found, b: Found | Fault): boolean =>
  "real" in b && a.real === b.real && a.stats.ino === b.stats.ino && a.stats.dev === b.stats.dev;

/** Whether a file lies in the folder, or is what a snapshot in a hub cache links to. */
function isAllowed(real: string, folder: string): boolean {
  const way = relative(folder, real); // absolute where it leads to another drive
  const isIn = !isAbsolute(way) && way.split(sep)[0] !== "..";
  return isIn || dirname(real) === blobsOf(folder);
}

/**
 * The folder to which a snapshot in a hub cache links: `models--org--name/snapshots/REVISION/config.json` is a link to
 * `models--org--name/blobs/HASH`.
 *
 * Source: huggingface_hub, "Understand caching".
 */
function blobsOf(folder: string): string | undefined {
  const parts = folder.split(sep);
  const at = parts.findLastIndex(
    (part, i) => part === "snapshots" && i + 1 < parts.length && parts[i - 1]?.startsWith("models--"),
  );
  return at < 0 ? undefined : join(parts.slice(0, at).join(sep), "blobs");
}

const ownFiles = "A model's files lie in its folder: put the file itself there, or a hard link to it.";
const leaves: Fault = { fault: "is a link that leaves the folder", hint: ownFiles, leaves: true };
const leadsNowhere: Fault = {
  fault: "is a link to what is not there",
  hint: "Fetch the model again, or put the file itself in the link's place.",
};
const goesRound: Fault = { fault: "is a link that leads back to itself", hint: ownFiles };
const replaced: Fault = {
  fault: "was replaced while it was opened",
  hint: "Try again when nothing else writes to the folder.",
};

/** What is wrong with reading a thing of this kind. */
export function kindFault(stats: BigIntStats): Fault | undefined {
  if (stats.isFile()) return undefined;
  const kind = stats.isDirectory()
    ? "folder"
    : stats.isFIFO()
      ? "named pipe"
      : stats.isSocket()
        ? "socket"
        : "device";
  return { fault: `is not a file but a ${kind}`, hint: "Name a file, or put one in its place." };
}

const faults: Readonly<Record<string, readonly [fault: string, hint: string]>> = {
  EACCES: ["may not be read", "Check the permissions of the file and of its folders."],
  EPERM: ["may not be read", "Check the permissions of the file and of its folders."],
  ERR_INVALID_ARG_VALUE: ["is no path", "Check the path."],
};

/** @param isNamed whether the caller named the path */
function faultOf(cause: unknown, isNamed: boolean): Fault {
  const { code = "for an unknown reason" } = cause as NodeJS.ErrnoException;
  const notThere = isNamed ? "there is no such file" : "is not there";
  const hint = isNamed ? "Check the path." : "Is the folder whole?";
  if (code === "ENOENT") return { fault: notThere, hint, absent: true, cause };
  if (code === "ENOTDIR") return { fault: `${notThere}: a folder of its path is a file`, hint, cause };
  if (code === "ELOOP") return goesRound;
  const [fault, advice] = faults[code] ?? [`cannot be opened (${code})`, "Check the path."];
  return { fault, hint: advice, cause };
}
