/**
 * One process at a time: a lock file that names its process. The lock of a process that died is taken over: it is gone
 * from the list of processes, or, where that cannot be known (another machine, a number given again), its lock is no
 * longer touched.
 */
import { mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { diskError, isAlive } from "./wholeFile.node.js";

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process has the lock. */
  readonly onWaiting?: (() => void) | undefined;
}

/** A lock that this process has. */
export interface Lock {
  /** Whether it is still this process's: one that was suspended for a minute may have lost it. */
  isHeld(): Promise<boolean>;
  /** Gives it back. */
  close(): Promise<void>;
}

/** Who has a lock, as far as its file says. */
export interface LockOwner {
  readonly process: number;
  readonly host: string;
}

const touchSeconds = 5;
const staleSeconds = 60;

/**
 * Does work while this process has the lock at `path`; waits for it where another has it.
 *
 * @throws OpenFlamingoError `disk` where it cannot be made; the signal's reason; what the work throws
 */
export async function withLock<T>(
  path: string,
  { signal, onWaiting }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  let isWaiting = false;
  let taken = await tryLock(path);
  while ("owner" in taken) {
    if (!isWaiting) onWaiting?.();
    isWaiting = true;
    await wait(200, undefined, { signal }).catch(() => {
      throw signal?.reason;
    });
    taken = await tryLock(path);
  }
  try {
    return await work();
  } finally {
    await taken.close();
  }
}

/**
 * Takes the lock at `path`, or says who has it. A process that keeps it stays free to end: its lock is then taken over.
 *
 * @returns the lock; or its owner, undefined while that one's name is not written yet
 * @throws OpenFlamingoError `disk` where it cannot be made
 */
export async function tryLock(path: string): Promise<Lock | { readonly owner: LockOwner | undefined }> {
  const own = JSON.stringify({ process: process.pid, host: hostname(), id: Math.random() });
  try {
    await mkdir(dirname(path), { recursive: true });
    while (!(await take(path, own))) {
      if (!(await removeStale(path))) return { owner: ownerOf((await contentOf(path)) ?? "") };
    }
  } catch (error) {
    throw diskError(path, error);
  }
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, 1000 * touchSeconds);
  touching.unref();
  const isHeld = async () => (await contentOf(path)) === own;
  return {
    isHeld,
    async close() {
      clearInterval(touching);
      if (await isHeld()) await rm(path, { force: true });
    },
  };
}

async function take(path: string, own: string): Promise<boolean> {
  const file = await open(path, "wx").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    throw error;
  });
  if (!file) return false;
  try {
    await file.writeFile(own);
  } finally {
    await file.close();
  }
  return true;
}

const contentOf = (path: string) => readFile(path, "utf8").catch(() => undefined);

/** Removes a dead process's lock; if it has become another's meanwhile, that one is put back. */
async function removeStale(path: string): Promise<boolean> {
  const content = await contentOf(path);
  if (content === undefined) return true;
  if (!(await isStale(path, content))) return false;
  const aside = `${path}.stale-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const isMoved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!isMoved) return true;
  if ((await contentOf(aside)) !== content) await rename(aside, path).catch(() => {});
  await rm(aside, { force: true });
  return true;
}

async function isStale(path: string, content: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found) return true;
  const age = (Date.now() - found.mtimeMs) / 1000;
  if (age > staleSeconds) return true;
  const owner = ownerOf(content);
  // An empty lock is one whose process is about to write into it, or died before it did.
  if (!owner) return age > touchSeconds;
  return owner.host === hostname() && !isAlive(owner.process);
}

function ownerOf(content: string): LockOwner | undefined {
  try {
    const { process, host } = JSON.parse(content) as LockOwner;
    return Number.isInteger(process) && process > 0 ? { process, host } : undefined;
  } catch {
    return undefined;
  }
}
