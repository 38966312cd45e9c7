/** What is in the cache folder: repositories, their sizes, and their removal. */
import { lstat, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { diskErrors } from "./diskErrors.node.js";
import { hashFile } from "./fetchBlob.node.js";
import { hashOf, isRepository } from "./names.js";

export interface CachedRepository {
  /** `owner/name` */
  readonly name: string;
  readonly path: string;
  /** Bytes on disk; links count nothing. */
  readonly bytes: number;
  /** The commits of which there are files. */
  readonly commits: readonly string[];
  /** Whether a download of it has not ended. */
  readonly isUnfinished: boolean;
}

/** The repositories of models in a cache folder, by name. A folder that is not there has none. */
export async function cachedRepositories(cache: string): Promise<readonly CachedRepository[]> {
  const names = await readdir(cache).catch(() => []);
  const found: CachedRepository[] = [];
  for (const folder of names.sort()) {
    const name = /^models--(.+)$/.exec(folder)?.[1]?.replace("--", "/");
    if (name === undefined || !isRepository(name)) continue;
    const path = join(cache, folder);
    const files = await filesIn(path);
    found.push({
      name,
      path,
      bytes: sumOf(files),
      commits: await readdir(join(path, "snapshots")).catch(() => []),
      isUnfinished: files.some((file) => /\.(incomplete|openflamingo-part)$/.test(file.name)),
    });
  }
  return found;
}

/**
 * The files of a repository in the cache whose content is not what their names say.
 *
 * @throws the signal's reason
 */
export async function damagedBlobs(path: string, signal?: AbortSignal): Promise<readonly string[]> {
  const damaged: string[] = [];
  for (const name of (await readdir(join(path, "blobs")).catch(() => [])).sort()) {
    const hash = hashOf(name);
    const blob = join(path, "blobs", name);
    const { size } = await stat(blob);
    if (hash && (await hashFile(blob, size, hash.kind, signal)) !== hash.hex) damaged.push(blob);
  }
  return damaged;
}

/** Bytes that the files of a folder take on disk. */
export const bytesIn = async (folder: string): Promise<number> => sumOf(await filesIn(folder));

const sumOf = (files: readonly { readonly bytes: number }[]): number =>
  files.reduce((sum, { bytes }) => sum + bytes, 0);

async function filesIn(folder: string): Promise<readonly { name: string; bytes: number }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ name, parentPath }) => {
      const stats = await lstat(join(parentPath, name)).catch(() => undefined);
      // A file that is fetched in pieces has holes: what it takes on disk counts.
      return { name, bytes: Math.min(stats?.size ?? 0, 512 * (stats?.blocks ?? Number.POSITIVE_INFINITY)) };
    }),
  );
}

/** @throws OpenFlamingoError `disk` */
export const removeFolder = (path: string): Promise<void> =>
  diskErrors(path, () => rm(path, { recursive: true }));
