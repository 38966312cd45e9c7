/** Files of the hub: asked for by repository, revision and name, given as a path in the cache. */
import { join } from "node:path";
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";
import { shownAddress } from "../base/webAddress.js";
import { type HeadAnswer, headUrl } from "../net/headUrl.node.js";
import { type RepositoryCache, repositoryCache, type Symlink } from "./cache.node.js";
import { type FetchOptions, fetchBlob, partialBytes } from "./fetchBlob.node.js";
import { type BlobHash, hashOf, isCommit, requireNames } from "./names.js";
import type { HubSettings } from "./settings.node.js";

export interface HubOptions extends FetchOptions {
  readonly settings: HubSettings;
  /** Whether a file that is in the cache is taken without asking whether the hub has a newer one. */
  readonly preferCache?: boolean | undefined;
  /** Makes links; for tests. */
  readonly symlink?: Symlink | undefined;
}

export interface HubFile {
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  readonly file: string;
}

/** A file in the cache. */
export interface CachedFile {
  readonly path: string;
  readonly commit: string;
}

/** What the hub says of a file. */
export interface Metadata {
  readonly address: URL;
  readonly commit: string;
  readonly hash: BlobHash;
  readonly size: number;
}

/** Asks nothing of a network that is more than this long without an answer. */
const headSeconds = 30;

/**
 * A file of a repository, fetched if it is not in the cache.
 *
 * @returns undefined where the repository has no such file
 * @throws OpenFlamingoError `usage` for names that cannot be on the hub; `network`; `disk`; the signal's reason
 */
export async function hubFile(asked: HubFile, options: HubOptions): Promise<CachedFile | undefined> {
  requireNames(asked);
  const { revision, file } = asked;
  const { settings, preferCache } = options;
  const cache = repositoryCache(settings.cache, asked.repository, options.symlink);
  const known = await cache.commitOf(revision);
  const cached = known === undefined ? undefined : await cache.find(known, file);
  if (cached && (preferCache || settings.isOffline || isCommit(revision)))
    return { path: cached, commit: known! };
  if (known && (preferCache || settings.isOffline) && (await cache.isAbsent(known, file))) return undefined;
  if (settings.isOffline) throw offline(asked, options, cache, known);
  const found = await metadata(asked, options, cache).catch((error: unknown) => {
    if (cached && isAway(error)) return cached;
    throw error;
  });
  if (typeof found === "string") return { path: found, commit: known! };
  if (!("hash" in found)) {
    if (found.commit) {
      await cache.noteCommit(revision, found.commit);
      await cache.noteAbsent(found.commit, file);
    }
    return undefined;
  }
  const { commit, hash } = found;
  const there = await cache.find(commit, file);
  if (!there) {
    const name = `${asked.repository} ${file}`;
    await fetchBlob({ ...found, name, path: cache.blob(hash.hex) }, withAccess(options));
    await cache.place(hash.hex, commit, file);
  }
  await cache.noteCommit(revision, commit);
  return { path: join(cache.snapshot(commit), file), commit };
}

/** A network that is away does not keep from a file that is there. */
const isAway = (error: unknown): boolean =>
  error instanceof OpenFlamingoError && Boolean(error.data.unreachable);

/**
 * Bytes that `hubFile` would fetch; undefined where the repository has no such file.
 *
 * @throws as `hubFile`
 */
export async function bytesToFetch(asked: HubFile, options: HubOptions): Promise<number | undefined> {
  requireNames(asked);
  const { settings, preferCache } = options;
  if (settings.isOffline) return 0; // `hubFile` says what is missing
  const cache = repositoryCache(settings.cache, asked.repository);
  const known = await cache.commitOf(asked.revision);
  const isThere = known !== undefined && (await cache.find(known, asked.file)) !== undefined;
  if (isThere && (preferCache || isCommit(asked.revision))) return 0;
  if (known !== undefined && preferCache && (await cache.isAbsent(known, asked.file))) return undefined;
  const found = await metadata(asked, options, cache).catch((error: unknown) => {
    if (!isThere || !isAway(error)) throw error;
  });
  if (!found) return 0;
  if (!("hash" in found)) return undefined;
  if (await cache.find(found.commit, asked.file)) return 0;
  return found.size - (await partialBytes(cache.blob(found.hash.hex)));
}

/** What goes with every request: the token to the hub alone, private addresses on the user's own endpoint alone. */
const withAccess = ({ settings, ...options }: HubOptions): FetchOptions => ({
  ...options,
  headers: { ...(settings.token && { authorization: `Bearer ${settings.token}` }) },
  privateOrigin: settings.isOwnEndpoint ? settings.endpoint.origin : undefined,
});

export const addressOf = ({ repository, revision, file }: HubFile, { endpoint }: HubSettings): URL =>
  new URL(
    `${endpoint.href.replace(/\/$/, "")}/${repository}/resolve/${encodeURIComponent(revision)}/${file
      .split("/")
      .map(encodeURIComponent)
      .join("/")}`,
  );

/** What the hub says of a file; without a hash where it has none by this name. */
export async function metadata(
  asked: HubFile,
  options: HubOptions,
  cache: RepositoryCache = repositoryCache(options.settings.cache, asked.repository),
): Promise<Metadata | { readonly commit: string | undefined }> {
  const address = addressOf(asked, options.settings);
  const { signal } = options;
  const head = await headUrl(address, {
    ...withAccess(options),
    maxSeconds: headSeconds,
    isAnswer: (headers) => headers["x-linked-etag"] !== undefined,
  }).catch((error) => {
    signal?.throwIfAborted();
    const { message } = error as Error;
    throw new OpenFlamingoError("network", message, {
      hint: byHand(asked, cache, undefined),
      cause: error,
      data: { unreachable: true },
    });
  });
  const commit = one(head, "x-repo-commit");
  const isEntryMissing = head.status === 404 && one(head, "x-error-code") === "EntryNotFound";
  if (isEntryMissing) return { commit: commit && isCommit(commit) ? commit : undefined };
  requireSuccess(head, asked, cache);
  const etag = one(head, "x-linked-etag") ?? one(head, "etag");
  const hash = hashOf(etag);
  const wrong = (what: string) =>
    new OpenFlamingoError("network", `${head.name}: ${what}`, {
      hint: "This is not how a hub answers. Check HF_ENDPOINT.",
    });
  if (commit === undefined || !isCommit(commit))
    throw wrong(`its commit is ${quoted(commit)}, which is none`);
  if (isCommit(asked.revision) && commit !== asked.revision) {
    throw wrong(`it is of commit ${commit}; ${asked.revision} was asked for`);
  }
  if (!hash) throw wrong(`its etag is ${quoted(etag)}, which is no hash of a file`);
  const stated =
    one(head, "x-linked-size") ?? (head.status === 200 ? one(head, "content-length") : undefined);
  const size = /^\d{1,15}$/.test(stated ?? "") ? Number(stated) : undefined;
  if (size === undefined) throw wrong(`its size is ${quoted(stated)}, which is none`);
  return { address, commit, hash, size };
}

const one = ({ headers }: HeadAnswer, name: string): string | undefined => {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** @throws OpenFlamingoError `network` for an answer that is none of a file that may be read */
function requireSuccess(head: HeadAnswer, asked: HubFile, cache: RepositoryCache): void {
  const { name, status } = head;
  if (status === 200 || (status >= 300 && status < 400)) return;
  const { repository, revision } = asked;
  const page = `${new URL(name.split(": ")[0]!).origin}/${repository}`;
  const code = one(head, "x-error-code");
  const gated = `Open ${page} in a browser, accept its conditions, and set HF_TOKEN to a token of yours.`;
  const [what, hint] =
    code === "GatedRepo" || status === 403
      ? [`${repository} is gated: the hub gives it to those alone who have accepted its conditions`, gated]
      : code === "RevisionNotFound"
        ? [
            `${repository} has no revision ${quoted(revision)}`,
            "Check the name of the branch, tag or commit.",
          ]
        : status === 401
          ? [
              `there is no repository ${repository}, or it is private or gated (401)`,
              `Check the name. ${gated}`,
            ]
          : status === 404
            ? [`there is no repository ${repository}`, `Check the name, or whether it was renamed: ${page}`]
            : [`the server answers ${status}`, "Try again later."];
  throw new OpenFlamingoError("network", `${name}: ${what}`, {
    hint: `${hint} ${byHand(asked, cache, one(head, "x-repo-commit"))}`,
    data: { status, unreachable: status >= 500 },
  });
}

/** Where a file may be put that was fetched by other means. */
function byHand({ file, revision }: HubFile, cache: RepositoryCache, commit: string | undefined): string {
  const at = isCommit(revision) ? revision : commit && isCommit(commit) ? commit : undefined;
  const path = join(cache.snapshot(at ?? "COMMIT"), file);
  const ref = at ? "" : `, with the commit written in ${join(cache.folder, "refs", revision)}`;
  return `A file fetched by hand may be put at ${path}${ref}.`;
}

const offline = (
  asked: HubFile,
  { settings }: HubOptions,
  cache: RepositoryCache,
  known: string | undefined,
) =>
  new OpenFlamingoError(
    "network",
    `${shownAddress(addressOf(asked, settings))}: is not in the cache, and HF_HUB_OFFLINE is set`,
    { hint: `Unset it. ${byHand(asked, cache, known)}` },
  );
