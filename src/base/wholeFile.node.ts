/**
 * Writing a file atomically: it is written under another name beside its own, brought to the disk, and
 * renamed. Whoever reads the name, also after a kill or a full disk, finds the old file or the new one.
 *
 * Who may read the file is as before, for a new file as the system's defaults (umask) say, and nobody else may while
 * it is written. A link is replaced by the file: what it leads to stays as it is.
 */
import type { Stats } from "node:fs";
import { access, constants, type FileHandle, lstat, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { OpenFlamingoError } from "./errors.js";

/**
 * @param path of the file, in a folder that exists; one that is there is replaced
 * @param write writes the content to the open, empty file
 * @throws OpenFlamingoError `disk` when it cannot be written; what `write` throws
 */
export async function writeWhole(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const unfinished = `${unfinishedOf(path)}${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    const old = await findTarget(path);
    await removeLeftovers(path);
    const file = await open(unfinished, "wx", old ? 0o600 : 0o666);
    try {
      const { mode } = await file.stat(); // what the system gives to new files
      await setMode(file, 0o600);
      await write(file);
      await (old ? keepAccess(file, old) : setMode(file, mode));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw diskError(path, error);
  }
}

/**
 * Tells before long work whether its result could be written.
 *
 * @throws OpenFlamingoError `disk`
 */
export async function requireWritable(path: string): Promise<void> {
  try {
    const folder = await stat(dirname(path));
    if (!folder.isDirectory()) throw systemError("ENOTDIR");
    await access(dirname(path), constants.W_OK);
    await findTarget(path);
  } catch (error) {
    throw diskError(path, error);
  }
}

/** The file that is to be replaced; undefined where there is none, or a link. */
async function findTarget(path: string): Promise<Stats | undefined> {
  const isThere = (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  };
  const found = await lstat(path).catch(isThere);
  // A link to a device is one that the system set up, such as /dev/stdout: it is not replaced.
  const end = found?.isSymbolicLink() ? await stat(path).catch(() => undefined) : found;
  if (end?.isDirectory()) throw systemError("EISDIR");
  if (end && !end.isFile()) throw systemError("not a file");
  return found?.isFile() ? found : undefined;
}

/** Gives a file the owner and the permissions of the one that it replaces, and nobody more than that. */
async function keepAccess(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const own = await file.stat();
  const isKept =
    (own.uid === uid && own.gid === gid) ||
    (await file.chown(uid, gid).then(
      () => true,
      () => false,
    ));
  const group = isKept ? 0o070 : (mode & 0o007) << 3; // another group may do what everybody may
  await setMode(file, mode & (0o707 | group));
}

/** A disk without permissions rejects: then there are none to keep. */
const setMode = (file: FileHandle, mode: number): Promise<void> => file.chmod(mode & 0o777).catch(() => {});

const systemError = (code: string) => Object.assign(new Error(code), { code, syscall: "stat" });

/** How the names of unfinished files begin; the writing process's number follows. */
const unfinishedOf = (path: string): string => join(dirname(path), `.${basename(path)}.unfinished-`);

/** Unfinished files whose process was killed. Those of a process that lives are its own. */
async function removeLeftovers(path: string): Promise<void> {
  const start = basename(unfinishedOf(path));
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(start) && !isAlive(Number.parseInt(name.slice(start.length), 10))) {
      await rm(join(dirname(path), name), { force: true });
    }
  }
}

/** Whether there is a process of this number. */
export function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0); // sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** The new name itself must reach the disk. Windows does not open folders, and needs it not. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

const reasons: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOSPC: ["there is no space left on the disk", "Make room, or write to another disk."],
  EDQUOT: ["your share of the disk is used up", "Make room, or write to another disk."],
  EROFS: ["the disk is read-only", "Write to another folder."],
  EACCES: ["you may not write there", "Write to another folder, or ask for the right to."],
  EPERM: ["you may not write there", "Write to another folder, or ask for the right to."],
  ENOENT: ["there is no such folder", "Make the folder first."],
  ENOTDIR: ["what should be its folder is a file", "Check the path."],
  EISDIR: ["there is a folder of that name", "Give another name."],
  "not a file": ["there is a pipe, a socket or a device of that name", "Give the name of a file."],
  EFBIG: ["the disk takes no files of that size", "Write to another disk."],
};

/** An error of the file system as one of ours, `disk`; any other as it is. */
export function diskError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof OpenFlamingoError || typeof code !== "string" || !("syscall" in (error as object)))
    return error;
  const [what, hint] = reasons[code] ?? [`the system says ${code}`, "Write to another folder."];
  return new OpenFlamingoError("disk", `${path}: cannot be written: ${what}`, { hint, cause: error });
}
