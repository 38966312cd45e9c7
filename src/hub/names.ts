/** Names on the hub, given by users and servers: what may become part of a path or an address. */
import { OpenFlamingoError } from "../base/errors.js";
import { quoted } from "../base/quoted.js";

/** `owner/name`, as the hub allows it. */
export const isRepository = (text: string): boolean =>
  /^[A-Za-z\d][\w.-]{0,95}\/[A-Za-z\d][\w.-]{0,95}$/.test(text) && !/--|\.\.|\.(\/|$)|\.git$/.test(text);

export const isCommit = (text: string): boolean => /^[\da-f]{40}$/.test(text);

/** A branch, a tag, `refs/pr/1` or a commit. */
const isRevision = (text: string) => /^\w[\w./-]{0,199}$/.test(text) && isPlainPath(text);

/** The path of a file in a repository, each part of it a plain name. */
const isPlainPath = (text: string) =>
  text.length <= 500 &&
  text.split("/").every((part) => /^[\w+@=,-][\w.+@=, -]*$/.test(part) && !/[. ]$/.test(part));

const wrong = (what: string, value: unknown, hint: string) =>
  new OpenFlamingoError("usage", `${what} is ${quoted(value)}, which cannot be one on the hub`, { hint });

/** @throws OpenFlamingoError `usage` */
export function requireNames({
  repository,
  file,
  revision,
}: {
  readonly repository: string;
  readonly file?: string | undefined;
  readonly revision: string;
}): void {
  if (typeof repository !== "string" || !isRepository(repository)) {
    throw wrong("the repository", repository, "It is owner/name.");
  }
  if (typeof revision !== "string" || !isRevision(revision)) {
    throw wrong("the revision", revision, "It is a branch, a tag or a commit.");
  }
  if (file !== undefined && (typeof file !== "string" || !isPlainPath(file))) {
    throw wrong("the file", file, "It is a path in the repository, with / between its parts.");
  }
}

/** Whether a file that a shard index names may be asked for: it lies beside the index. */
export const isPlainName = (text: string): boolean => isPlainPath(text) && !text.includes("/");

/** The hash that an etag is: SHA-256 of a large file, git's SHA-1 of a small one. */
export interface BlobHash {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

/** @returns undefined where the etag is neither */
export function hashOf(etag: string | undefined): BlobHash | undefined {
  const hex = /^(?:W\/)?"?([\da-f]{64}|[\da-f]{40})"?$/.exec(etag ?? "")?.[1];
  return hex === undefined ? undefined : { kind: hex.length === 64 ? "sha256" : "git", hex };
}
