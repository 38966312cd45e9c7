/**
 * Writing a file atomically: it is written under another name beside its own, brought to the disk, and
 * renamed. Whoever reads the name, also after a kill or a full disk, finds the old file or the new one.
 */
import { access, constants, type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
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
    await removeLeftovers(path);
    const file = await open(unfinished, "wx");
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw explained(path, error);
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
    if (!folder.isDirectory()) throw Object.assign(new Error(path), { code: "ENOTDIR", syscall: "stat" });
    await access(dirname(path), constants.W_OK);
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory()) throw Object.assign(new Error(path), { code: "EISDIR", syscall: "stat" });
  } catch (error) {
    throw explained(path, error);
  }
}

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

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0); // sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** The new name itself must reach the disk. Windows does not open folders, and needs it not. */
async function syncFolder(folder: string): Promise<void> {
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
  EFBIG: ["the disk takes no files of that size", "Write to another disk."],
};

function explained(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof OpenFlamingoError || typeof code !== "string" || !("syscall" in (error as object)))
    return error;
  const [what, hint] = reasons[code] ?? [`the system says ${code}`, "Write to another folder."];
  return new OpenFlamingoError("disk", `${path}: cannot be written: ${what}`, { hint, cause: error });
}
