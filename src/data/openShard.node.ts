/** The bytes of a shard as they come, from a disk or from the web. A connection that breaks is taken up where it broke. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { OpenFlamingoError } from "../base/errors.js";
import type { ConnectOptions } from "../net/connect.node.js";
import { type Answer, openUrl } from "../net/openUrl.node.js";
import { type Shard, shardName } from "./shardList.node.js";

export interface OpenShardOptions extends ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of a shard from the web; a longer one is an error. Default: 1 TiB. */
  readonly maxBytes?: number | undefined;
  /** Seconds without a byte after which a connection is given up. Default: 60. */
  readonly stallSeconds?: number | undefined;
  /** Seconds before the first new try; they double with each further one. Default: 0.5. */
  readonly retrySeconds?: number | undefined;
}

/** Tries without a single new byte. */
const mostTries = 5;

/**
 * @throws OpenFlamingoError `data-missing` for a file that cannot be read; `network`; the signal's reason
 */
export function openShard(shard: Shard, options: OpenShardOptions = {}): AsyncGenerator<Uint8Array, void> {
  return shard instanceof URL ? fetchShard(shard, options) : readShard(shard, options);
}

async function* readShard(path: string, { signal }: OpenShardOptions): AsyncGenerator<Uint8Array, void> {
  const unreadable = (cause: unknown): never => {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new OpenFlamingoError("data-missing", `${path}: the shard cannot be read${code && ` (${code})`}`, {
      hint: "Is it there, a file, and may you read it?",
    });
  };
  // Without waiting: a pipe that nobody writes to would hold a thread for ever. Windows has no such flag.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(unreadable);
  try {
    if (!(await file.stat()).isFile()) unreadable({ code: "no file" });
    for (;;) {
      signal?.throwIfAborted();
      const piece = Buffer.allocUnsafeSlow(2 ** 20);
      const { bytesRead } = await file.read(piece, 0, piece.length).catch(unreadable);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* fetchShard(url: URL, options: OpenShardOptions): AsyncGenerator<Uint8Array, void> {
  const { signal, retrySeconds = 0.5 } = options;
  const known: Known = { bytes: 0, size: undefined, etag: undefined };
  for (let tries = 1; ; ) {
    const before = known.bytes;
    try {
      yield* fetchFrom(url, known, options);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof OpenFlamingoError) || error.data.final) throw error;
      tries = known.bytes > before ? 1 : tries + 1;
      if (tries > mostTries) throw error;
      await wait(500 * retrySeconds * 2 ** tries, undefined, { signal }).catch(() => {});
      signal?.throwIfAborted();
    }
  }
}

/** What is known of a file on the web: what has come, and by what a changed one is recognised. */
interface Known {
  bytes: number;
  size: number | undefined;
  etag: string | undefined;
}

async function* fetchFrom(
  url: URL,
  known: Known,
  { signal, maxBytes = 2 ** 40, stallSeconds = 60, ...options }: OpenShardOptions,
): AsyncGenerator<Uint8Array, void> {
  const stalled = new AbortController();
  const late = () =>
    stalled.abort(
      new OpenFlamingoError("network", `${shardName(url)}: no bytes for ${stallSeconds} seconds`, {
        hint: "Is the server slow, or the connection? It is tried again.",
      }),
    );
  const timer = setTimeout(late, 1000 * stallSeconds);
  const from = known.bytes;
  try {
    const answer = await openUrl(url, {
      ...options,
      range: from > 0 ? { first: from } : undefined,
      maxBytes,
      maxSeconds: 24 * 3600,
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
    });
    requireSame(answer, from, known);
    // A server that ignores the range sends again what has come already.
    let ignored = answer.status === 206 ? 0 : from;
    for await (const piece of answer.body) {
      timer.refresh();
      const part = piece.subarray(Math.min(ignored, piece.length));
      ignored -= piece.length - part.length;
      known.bytes += part.length;
      if (part.length > 0) yield part;
      timer.refresh(); // the reader may have taken its time
    }
  } finally {
    clearTimeout(timer);
  }
}

/** @throws OpenFlamingoError `network` when the rest is that of another file than the beginning */
function requireSame(answer: Answer, from: number, known: Known): void {
  const { status, headers, size, name, close } = answer;
  const total = status === 206 ? /\/(\d+)$/.exec(headers["content-range"] ?? "")?.[1] : size;
  const found = { size: total === undefined ? undefined : Number(total), etag: headers.etag };
  const differs = (["size", "etag"] as const).some(
    (what) => known[what] !== undefined && found[what] !== undefined && known[what] !== found[what],
  );
  known.size ??= found.size;
  known.etag ??= found.etag;
  if (from === 0 || !differs) return;
  close();
  throw new OpenFlamingoError("network", `${name}: the shard changed on the server while it was fetched`, {
    hint: "Is it still being written? Start again when it is complete.",
    data: { final: true },
  });
}
