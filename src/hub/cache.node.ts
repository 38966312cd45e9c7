/**
 * The cache folder, shared with Python's huggingface_hub:
 *
 *     models--owner--name/refs/main               the commit that `main` was
 *     models--owner--name/snapshots/COMMIT/FILE   a link to the blob, or a copy where links do not work
 *     models--owner--name/blobs/HASH              the content
 *     models--owner--name/.no_exist/COMMIT/FILE   empty: the repository has no such file
 *
 * Source: huggingface_hub, "Understand caching".
 */
import { copyFile, lstat, mkdir, readFile, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { writeWhole } from "../base/wholeFile.node.js";
import { diskErrors } from "./diskErrors.node.js";
import { isCommit } from "./names.js";

export interface RepositoryCache {
  readonly folder: string;
  snapshot(commit: string): string;
  blob(hash: string): string;
  /** The commit that a revision was when it was last asked for. */
  commitOf(revision: string): Promise<string | undefined>;
  /** The path of a file in a snapshot, if it is there. */
  find(commit: string, file: string): Promise<string | undefined>;
  /** Whether it is known that the repository has no such file. */
  isAbsent(commit: string, file: string): Promise<boolean>;
  noteCommit(revision: string, commit: string): Promise<void>;
  noteAbsent(commit: string, file: string): Promise<void>;
  /** Puts a blob into a snapshot. @returns the path there */
  place(hash: string, commit: string, file: string): Promise<string>;
}

export type Symlink = (target: string, path: string) => Promise<void>;

/** @param repository a checked name, as all names given to what this returns */
export function repositoryCache(cache: string, repository: string, link: Symlink = symlink): RepositoryCache {
  const folder = join(cache, `models--${repository.replace("/", "--")}`);
  const snapshot = (commit: string) => join(folder, "snapshots", commit);
  const blob = (hash: string) => join(folder, "blobs", hash);
  const absent = (commit: string, file: string) => join(folder, ".no_exist", commit, file);
  return {
    folder,
    snapshot,
    blob,
    async commitOf(revision) {
      if (isCommit(revision)) return revision;
      const text = await readFile(join(folder, "refs", revision), "utf8").catch(() => "");
      return isCommit(text.trim()) ? text.trim() : undefined;
    },
    async find(commit, file) {
      const path = join(snapshot(commit), file);
      const found = await stat(path).catch(() => undefined);
      return found?.isFile() ? path : undefined;
    },
    async isAbsent(commit, file) {
      return (await lstat(absent(commit, file)).catch(() => undefined)) !== undefined;
    },
    async noteCommit(revision, commit) {
      if (!isCommit(revision)) await write(join(folder, "refs", revision), commit);
    },
    noteAbsent: (commit, file) => write(absent(commit, file), ""),
    async place(hash, commit, file) {
      const path = join(snapshot(commit), file);
      await diskErrors(path, () => placeBlob(blob(hash), path, link));
      return path;
    },
  };
}

async function write(path: string, text: string): Promise<void> {
  await diskErrors(path, () => mkdir(dirname(path), { recursive: true }));
  await writeWhole(path, async (file) => file.writeFile(text));
}

async function placeBlob(blob: string, path: string, link: Symlink): Promise<void> {
  const target = relative(dirname(path), blob);
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.unfinished-${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    await link(target, unfinished).catch(async (error: NodeJS.ErrnoException) => {
      if (!/^(EPERM|EACCES|ENOSYS|ENOTSUP|EOPNOTSUPP|EINVAL|UNKNOWN)$/.test(error.code ?? "")) throw error;
      await copyFile(blob, unfinished);
    });
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
