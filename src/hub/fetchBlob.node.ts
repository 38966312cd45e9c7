/**
 * Fetches a file of known size and hash: in chunks, several at a time, going on where a killed process stopped, and
 * under its final name only when its hash is right.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { OpenFlamingoError } from "../base/errors.js";
import { withLock } from "../base/lock.node.js";
import type { Progress } from "../base/progress.js";
import { shownAddress } from "../base/webAddress.js";
import type { ConnectOptions } from "../net/connect.node.js";
import { openUrl } from "../net/openUrl.node.js";
import { diskErrors } from "./diskErrors.node.js";
import type { BlobHash } from "./names.js";
import { openPartial, type PartialFile, removePartial } from "./parts.node.js";

export interface FetchOptions extends ConnectOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Bytes that a folder's disk has free; for tests. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
  /** Bytes of a chunk (default: 64 MiB) and of what is noted of one (default: 2 MiB); for tests. */
  readonly chunk?: number | undefined;
  readonly block?: number | undefined;
  /** Seconds before the first new try; they double with each further one. Default: 0.2. */
  readonly retrySeconds?: number | undefined;
  /** Seconds without a byte after which a connection is given up. */
  readonly stallSeconds?: number | undefined;
}

export interface Wanted {
  /** What notices call it. */
  readonly name: string;
  readonly address: URL;
  readonly size: number;
  readonly hash: BlobHash;
  /** Its final name. */
  readonly path: string;
}

/** Connections at a time. All of them lose at most a block each when they are killed: together less than a chunk. */
const connections = 4;
const mostTries = 5;

/**
 * @throws OpenFlamingoError `network` when it cannot be fetched, or is not what it should be; `disk`; the signal's
 *   reason
 */
export async function fetchBlob(wanted: Wanted, options: FetchOptions): Promise<void> {
  const { name, path, size } = wanted;
  const isThere = async () => (await stat(path).catch(() => undefined))?.size === size;
  if (await isThere()) return;
  const onWaiting = () => options.onNotice?.(`waiting for another process that fetches ${name}`);
  await diskErrors(path, () => mkdir(dirname(path), { recursive: true }));
  await withLock(`${path}.openflamingo-lock`, { signal: options.signal, onWaiting }, async () => {
    if (await isThere()) return;
    const { chunk = 64 * 2 ** 20, block = 2 * 2 ** 20 } = options;
    const partial = await openPartial(partOf(path), { size, chunk, block });
    try {
      await requireSpace(path, size - partial.done(), options);
      // Of a small file nobody needs to know.
      if (size > block) options.onNotice?.(`fetching ${name} (${size.toLocaleString("en-US")} bytes)`);
      await fetchChunks(wanted, partial, chunk, options);
    } finally {
      await partial.close();
    }
    await requireHash(wanted, partial.path, options.signal);
    await diskErrors(path, () => rename(partial.path, path));
    await removePartial(partial.path);
  });
}

/** Bytes on the disk of a file at `path` whose fetching was stopped. */
export async function partialBytes(path: string): Promise<number> {
  const found = await stat(partOf(path)).catch(() => undefined);
  // It has its full length from the beginning, with holes.
  return found ? Math.min(found.size, 512 * found.blocks) : 0;
}

const partOf = (path: string) => `${path}.openflamingo-part`;

export const freeOn = async (folder: string) => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

async function requireSpace(path: string, needed: number, { freeBytes = freeOn }: FetchOptions) {
  const free = await freeBytes(dirname(path)).catch(() => Number.POSITIVE_INFINITY); // not all disks say
  if (free >= needed) return;
  throw new OpenFlamingoError(
    "disk",
    `${dirname(path)}: ${needed.toLocaleString("en-US")} bytes are to be fetched, the disk has ${free.toLocaleString("en-US")} free`,
    { hint: "Make room, or set HF_HOME to a folder on another disk.", data: { needed, free } },
  );
}

async function fetchChunks(wanted: Wanted, partial: PartialFile, chunk: number, options: FetchOptions) {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const count = Math.ceil(wanted.size / chunk);
  let next = 0;
  let done = partial.done();
  const onBytes = (bytes: number) => {
    done += bytes;
    options.onProgress?.(Math.min(done, wanted.size), wanted.size, `fetching ${wanted.name}`);
  };
  onBytes(0);
  const work = async () => {
    while (next < count) {
      signal.throwIfAborted();
      const index = next++;
      await fetchChunk({ ...wanted, index, chunk }, partial, { ...options, signal }, onBytes);
    }
  };
  const workers = Array.from({ length: Math.min(connections, count) }, work);
  const results = await Promise.allSettled(
    workers.map((worker) =>
      worker.catch((error: unknown) => {
        // The others stop; what made them stop is what is reported.
        if (!stop.signal.aborted) stop.abort(error);
        throw error;
      }),
    ),
  );
  if (options.signal?.aborted) throw options.signal.reason;
  if (results.some(({ status }) => status === "rejected")) throw stop.signal.reason;
}

type Chunk = Wanted & { readonly index: number; readonly chunk: number };

/** One chunk, tried again while it goes forward. */
async function fetchChunk(
  at: Chunk,
  partial: PartialFile,
  options: FetchOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const end = Math.min(at.size, (at.index + 1) * at.chunk);
  for (let tries = 1; partial.nextOf(at.index) < end; ) {
    const before = partial.nextOf(at.index);
    try {
      await fetchRange(at, before, end, partial, options, onBytes);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof OpenFlamingoError) || error.code !== "network" || error.data.final) throw error;
      tries = partial.nextOf(at.index) > before ? 1 : tries + 1;
      if (tries > mostTries) throw error;
      await wait(500 * (options.retrySeconds ?? 0.2) * 2 ** tries, undefined, {
        signal: options.signal,
      }).catch(() => {});
    }
  }
}

async function fetchRange(
  { address, size, index }: Chunk,
  first: number,
  end: number,
  partial: PartialFile,
  options: FetchOptions,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const isWhole = first === 0 && end === size;
  const { stallSeconds = 60, headers, resolve, connect, privateOrigin, allowPrivateAddresses } = options;
  const stalled = new AbortController();
  const late = () =>
    stalled.abort(
      new OpenFlamingoError("network", `${shownAddress(address)}: no bytes for ${stallSeconds} seconds`, {
        hint: "Try again: what was fetched is kept.",
      }),
    );
  const timer = setTimeout(late, 1000 * stallSeconds);
  let at = first;
  let uncounted = 0;
  try {
    const answer = await openUrl(address, {
      ...{ headers, resolve, connect, privateOrigin, allowPrivateAddresses },
      range: isWhole ? undefined : { first, last: end - 1 },
      maxBytes: end - first,
      maxSeconds: 24 * 3600,
      tooLarge: (name) =>
        isWhole ? wrongLength(name, size) : final(`${name}: the server ignores the range that was asked for`),
      signal: options.signal ? AbortSignal.any([options.signal, stalled.signal]) : stalled.signal,
    });
    const { name, status, headers: got } = answer;
    const total = /\/(\d+)$/.exec(got["content-range"] ?? "")?.[1];
    const fault =
      !isWhole && status !== 206
        ? final(`${name}: the server ignores the range that was asked for`)
        : (total !== undefined && Number(total) !== size) || (isWhole && (answer.size ?? size) !== size)
          ? wrongLength(name, size)
          : undefined;
    if (fault) {
      answer.close();
      throw fault;
    }
    for await (const bytes of answer.body) {
      timer.refresh();
      await partial.write(bytes, at);
      at += bytes.length;
      uncounted += bytes.length;
      onBytes(bytes.length);
      const before = partial.nextOf(index);
      await partial.note(index, at);
      if (partial.nextOf(index) > before) uncounted = at - partial.nextOf(index);
    }
    if (isWhole && at < end) throw wrongLength(name, size);
  } finally {
    clearTimeout(timer);
    // What is not noted is fetched again.
    if (at < end || partial.nextOf(index) < end) onBytes(-uncounted);
  }
}

const final = (message: string) =>
  new OpenFlamingoError("network", message, {
    hint: "Nothing of it was kept that is taken for whole. Is there a proxy that changes answers?",
    data: { final: true },
  });

const wrongLength = (name: string, size: number) =>
  final(`${name}: the server sends another length than the ${size.toLocaleString("en-US")} bytes it stated`);

/** @throws OpenFlamingoError `network` for other content, which is removed */
async function requireHash({ address, size, hash }: Wanted, path: string, signal: AbortSignal | undefined) {
  const found = await hashFile(path, size, hash.kind, signal);
  if (found === hash.hex) return;
  await removePartial(path);
  throw new OpenFlamingoError(
    "network",
    `${shownAddress(address)}: the content's hash is ${found}; it must be ${hash.hex}`,
    { hint: "It was removed. Try again; is there a proxy that changes answers?", data: { final: true } },
  );
}

/** The hash of a file's content, in hexadecimal. */
export async function hashFile(
  path: string,
  size: number,
  kind: BlobHash["kind"],
  signal?: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash(kind === "git" ? "sha1" : "sha256");
  if (kind === "git") hash.update(`blob ${size}\0`);
  for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    signal?.throwIfAborted();
    hash.update(bytes as Buffer);
  }
  return hash.digest("hex");
}
