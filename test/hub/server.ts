/** A hub on this machine that speaks the protocol of the real one, and can be made to lie. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { HubOptions } from "../../src/hub/hub.node.js";
import { serve } from "../net/servers.js";

export interface ServedFile {
  readonly bytes: Uint8Array;
  /** Kept as a large file: its etag is a SHA-256, and its bytes come from another address. */
  readonly isLarge?: boolean;
  /** Bytes that are sent at a time, with a pause after each; all at once if left out. */
  readonly pace?: number;
}

export interface TestRepository {
  readonly commit: string;
  readonly files: Readonly<Record<string, ServedFile>>;
  /** A token that must be sent. */
  readonly token?: string;
  readonly renamedTo?: string;
}

/** Answers in place of the hub; false: it does not. */
export type Lie = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface TestHub {
  readonly endpoint: string;
  /** Method, path and range of every request. */
  readonly requests: {
    method: string;
    url: string;
    range?: string | undefined;
    token?: string | undefined;
  }[];
  /** Bytes of bodies that were asked for. */
  bytesAsked(): number;
  /** Bytes of bodies that were handed to the network. */
  bytesSent(): number;
  /** Called with `bytesSent` as it grows. */
  onSent: ((sent: number) => void) | undefined;
  /** Bytes of a large file that were sent at least twice since `forget`, counted by position. */
  sentTwice(): number;
  forget(): void;
  lie: Lie | undefined;
  close(): void;
}

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
export const gitHash = (bytes: Uint8Array) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

export const commitA = "a".repeat(40);

export async function startHub(repositories: Readonly<Record<string, TestRepository>>): Promise<TestHub> {
  const requests: TestHub["requests"] = [];
  let asked = 0;
  let sent = 0;
  let pieces: [from: number, to: number][] = [];
  const send = (
    request: IncomingMessage,
    response: ServerResponse,
    { bytes, pace }: ServedFile,
    headers: object,
  ) => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const from = Number(first ?? 0);
    const to = last ? Math.min(Number(last), bytes.length - 1) : bytes.length - 1;
    const body = bytes.subarray(from, to + 1);
    const range = first === undefined ? {} : { "content-range": `bytes ${from}-${to}/${bytes.length}` };
    response.writeHead(first === undefined ? 200 : 206, {
      ...headers,
      ...range,
      "content-length": body.length,
      "accept-ranges": "bytes",
    });
    if (request.method === "HEAD") return response.end();
    asked += body.length;
    if (pace === undefined) {
      sent += body.length;
      return response.end(body);
    }
    const next = (at: number): void => {
      if (response.destroyed) return;
      const piece = body.subarray(at, at + pace);
      if (piece.length === 0) return void response.end();
      response.write(piece, () => {
        sent += piece.length;
        pieces.push([from + at, from + at + piece.length]);
        hub.onSent?.(sent);
        // So slow that the client keeps up on a busy machine: what it has not read counts as sent.
        setTimeout(() => next(at + pace), 10);
      });
    };
    return next(0);
  };
  const hashes = new Map(
    Object.values(repositories).flatMap(({ files }) =>
      Object.values(files).map(({ bytes }) => [bytes, sha256(bytes)] as const),
    ),
  );
  const server = await serve((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, range: headers.range, token: headers.authorization });
    if (hub.lie?.(request, response)) return;
    const missing = (status: number, code: string, more = {}) =>
      response.writeHead(status, { "x-error-code": code, "x-error-message": code, ...more }).end();
    const cdn = /^\/cdn\/(\w+)/.exec(url)?.[1];
    if (cdn) {
      const all = Object.values(repositories).flatMap(({ files }) => Object.values(files));
      send(request, response, all.find(({ bytes }) => hashes.get(bytes) === cdn)!, {
        // Python follows redirects within the host, and takes what the last answer says.
        "x-repo-commit": Object.values(repositories)[0]!.commit,
        etag: `"${cdn}"`,
      });
      return;
    }
    const [, api, name, rest] =
      /^\/(api\/models\/)?([^/]+\/[^/]+)\/(?:resolve|revision)\/(.*)$/.exec(url) ?? [];
    const repository = repositories[name ?? ""];
    if (!repository) return void missing(404, "RepoNotFound");
    if (repository.renamedTo) {
      response.writeHead(307, { location: url.replace(name!, repository.renamedTo) }).end();
      return;
    }
    if (repository.token && headers.authorization !== `Bearer ${repository.token}`) {
      return void missing(401, "GatedRepo");
    }
    const [revision, ...path] = rest!.split("?")[0]!.split("/").map(decodeURIComponent);
    if (revision !== "main" && revision !== repository.commit) return void missing(404, "RevisionNotFound");
    if (api) {
      const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
      response.writeHead(200, { "content-type": "application/json" }).end(
        JSON.stringify({
          id: name,
          modelId: name,
          sha: repository.commit,
          siblings,
          tags: [],
          private: false,
        }),
      );
      return;
    }
    const commit = { "x-repo-commit": repository.commit };
    const file = repository.files[path.join("/")];
    if (!file) return void missing(404, "EntryNotFound", commit);
    if (!file.isLarge) {
      send(request, response, file, { ...commit, etag: `"${gitHash(file.bytes)}"` });
      return;
    }
    const hash = hashes.get(file.bytes)!;
    response
      .writeHead(302, {
        ...commit,
        location: `${hub.endpoint}/cdn/${hash}?signature=x`,
        "x-linked-etag": `"${hash}"`,
        "x-linked-size": file.bytes.length,
        "content-length": 0,
      })
      .end();
  });
  const hub: TestHub = {
    endpoint: `http://127.0.0.1:${server.port}`,
    requests,
    bytesAsked: () => asked,
    bytesSent: () => sent,
    onSent: undefined,
    sentTwice() {
      const ordered = pieces.sort(([a], [b]) => a - b);
      let end = 0;
      let twice = 0;
      for (const [from, to] of ordered) {
        twice += Math.max(0, Math.min(end, to) - from);
        end = Math.max(end, to);
      }
      return twice;
    },
    forget() {
      pieces = [];
    },
    lie: undefined,
    close: server.close,
  };
  return hub;
}

/** A folder for a cache, removed after the test. */
export async function cacheFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "openflamingo-hub-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Options that lead to a test's hub, with small chunks. */
export const hubOptions = (
  { endpoint }: Pick<TestHub, "endpoint">,
  cache: string,
  {
    isOffline = false,
    token,
    ...options
  }: Partial<HubOptions> & { isOffline?: boolean; token?: string } = {},
): HubOptions => ({
  settings: {
    endpoint: new URL(endpoint),
    isOwnEndpoint: true,
    cache,
    assets: join(cache, "assets"),
    clipCache: join(cache, "clip"),
    isOffline,
    token,
  },
  chunk: 64 * 1024,
  block: 8 * 1024,
  retrySeconds: 0.01,
  ...options,
});

/** Bytes that no two positions share a pattern of. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
