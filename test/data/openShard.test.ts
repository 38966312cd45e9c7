/** Shards as they are named, from the disk and from the web. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { expandBraces } from "../../src/data/braces.js";
import { type OpenShardOptions, openShard } from "../../src/data/openShard.node.js";
import { findShards, type Shard } from "../../src/data/shardList.node.js";
import { type LocalServer, serve } from "../net/servers.js";
import { newFolder } from "./shardFolder.js";

const content = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7) % 251));
/** The ranges that were asked for, by page. */
const asked: Record<string, (string | undefined)[]> = {};

/** Sends the content from a byte on, and breaks off after so many. */
function send(
  [, response]: Parameters<RequestListener>,
  {
    from = 0,
    bytes = content.length,
    etag = "1",
    ...more
  }: { from?: number; bytes?: number; etag?: string; status?: number } = {},
) {
  const status = more.status ?? (from > 0 ? 206 : 200);
  response.writeHead(status, {
    "content-length": String(content.length - from),
    etag,
    ...(status === 206 && { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  const part = content.subarray(from, from + bytes);
  if (from + bytes >= content.length) response.end(part);
  else response.write(part, () => setTimeout(() => response.destroy(), 20));
}

const start = (range: string | undefined) => Number(/\d+/.exec(range ?? "0")![0]);

const pages: Record<string, (...args: Parameters<RequestListener>) => void> = {
  "/whole": (...args) => send(args),
  "/breaks": (...args) => send(args, { from: start(args[0].headers.range), bytes: 20_000 }),
  "/no-ranges": (...args) =>
    send(args, { bytes: args[0].headers.range ? content.length : 20_000, status: 200 }),
  "/changed": (...args) =>
    send(args, {
      from: start(args[0].headers.range),
      bytes: 20_000,
      etag: String(asked["/changed"]!.length),
    }),
  "/dead": (...args) =>
    send(args, { from: start(args[0].headers.range), bytes: args[0].headers.range ? 0 : 20_000 }),
  "/missing": (_, response) => void response.writeHead(404).end(),
  "/silent": (...args) => {
    args[1].writeHead(200, { "content-length": String(content.length) });
    args[1].write(content.subarray(0, 100));
  },
};

let server: LocalServer;
beforeAll(async () => {
  server = await serve((request, response) => {
    const page = request.url!;
    asked[page] ??= [];
    asked[page].push(request.headers.range);
    pages[page]!(request, response);
  });
});
afterAll(() => server.close());

async function read(shard: Shard, options: OpenShardOptions = {}) {
  const parts: Uint8Array[] = [];
  let error: OpenFlamingoError | undefined;
  try {
    for await (const part of openShard(shard, {
      allowPrivateAddresses: true,
      retrySeconds: 0.001,
      ...options,
    }))
      parts.push(part);
  } catch (thrown) {
    error = thrown as OpenFlamingoError;
  }
  return { bytes: Buffer.concat(parts), error };
}

const page = (name: string) => new URL(`http://127.0.0.1:${server.port}/${name}`);

describe("from the web", () => {
  test("a shard comes whole", async () => {
    const { bytes, error } = await read(page("whole"));
    expect(error).toBeUndefined();
    expect(bytes.equals(content)).toBe(true);
  });

  test("after a broken connection the rest is asked for", async () => {
    const { bytes, error } = await read(page("breaks"));
    expect(error).toBeUndefined();
    expect(bytes.equals(content)).toBe(true);
    expect(asked["/breaks"]).toEqual([undefined, "bytes=20000-", "bytes=40000-"]);
  });

  test("where the server knows no ranges, what has come is not given again", async () => {
    const { bytes, error } = await read(page("no-ranges"));
    expect(error).toBeUndefined();
    expect(bytes.equals(content)).toBe(true);
  });

  test("a shard that changes in between is not put together from two", async () => {
    const { bytes, error } = await read(page("changed"));
    expect(bytes).toHaveLength(20_000);
    expect(error?.message).toMatch(/changed on the server/);
    expect(asked["/changed"]).toHaveLength(2);
  });

  test("it is given up after five tries without a byte", async () => {
    const { bytes, error } = await read(page("dead"));
    expect(bytes).toHaveLength(20_000);
    expect(error).toMatchObject({ code: "network" });
    expect(asked["/dead"]).toHaveLength(6);
    expect((await read(page("missing"))).error?.message).toMatch(/answers 404/);
  });

  test("silence is a broken connection", async () => {
    const { bytes, error } = await read(page("silent"), { stallSeconds: 0.05 });
    expect(bytes.length).toBeGreaterThanOrEqual(100);
    expect(error?.message).toMatch(/no bytes for 0.05 seconds/);
  });

  test("private addresses are rejected unless they are allowed", async () => {
    const { error } = await read(page("whole"), { allowPrivateAddresses: false });
    expect(error?.message).toMatch(/not public/);
  });

  test("a signal ends it with its reason", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(new RangeError("enough")), 20);
    expect((await read(page("silent"), { signal: abort.signal })).error).toBeInstanceOf(RangeError);
  });
});

describe("from the disk", () => {
  test("a file comes whole, and what is none is an error", async () => {
    const folder = newFolder();
    const path = join(folder, "a.tar");
    writeFileSync(path, content);
    expect((await read(path)).bytes.equals(content)).toBe(true);
    expect((await read(join(folder, "none.tar"))).error).toMatchObject({
      code: "data-missing",
      message: /ENOENT/,
    });
    expect((await read(folder)).error).toMatchObject({ code: "data-missing" });
    const abort = AbortSignal.abort(new RangeError("enough"));
    expect((await read(path, { signal: abort })).error).toBeInstanceOf(RangeError);
  });
});

describe("lists of shards", () => {
  test("a folder is its shards by name, and no other file", async () => {
    const folder = newFolder();
    for (const name of ["b.tar", "a.tar.gz", "c.TGZ", "notes.txt", ".hidden.tar"])
      writeFileSync(join(folder, name), "");
    mkdirSync(join(folder, "folder.tar"));
    const expected = ["a.tar.gz", "b.tar", "c.TGZ"].map((name) => join(folder, name));
    expect(await findShards(folder)).toEqual(expected);
    expect(await findShards(pathToFileURL(folder).href)).toEqual(expected);
    await expect(findShards(join(folder, "folder.tar"))).rejects.toMatchObject({
      code: "data-missing",
      message: /no shards in this folder/,
    });
  });

  test("a pattern is its names, also those that are not there yet; none at all is an error", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "1.tar"), "");
    expect(await findShards(join(folder, "{0..2}.tar"))).toEqual(
      [0, 1, 2].map((i) => join(folder, `${i}.tar`)),
    );
    await expect(findShards(join(folder, "{3..5}.tar"))).rejects.toMatchObject({
      code: "data-missing",
      message: /3\.tar": there is no shard of that name \(nor any of the other 2 names\)/,
    });
  });

  test("addresses of the web are taken as they are", async () => {
    const shards = await findShards(["https://example.org/{a,b}.tar?token=x", "HTTP://example.org/c.tar"]);
    expect(shards.map(String)).toEqual([
      "https://example.org/a.tar?token=x",
      "https://example.org/b.tar?token=x",
      "http://example.org/c.tar",
    ]);
    for (const name of [
      "s3://bucket/a.tar",
      "pipe:aws s3 cp",
      "http://[/a.tar",
      "file:// /x",
      "file://host/a.tar",
    ])
      await expect(findShards(name)).rejects.toMatchObject({ code: "usage" });
  });

  test("braces that are no pattern stay, and others nest", () => {
    expect(expandBraces("a{b}c")).toEqual(["a{b}c"]);
    expect(expandBraces("{a,b{1..2}}.tar")).toEqual(["a.tar", "b1.tar", "b2.tar"]);
    expect(expandBraces("{3..1}")).toEqual(["3", "2", "1"]);
    expect(expandBraces("{-1..1}")).toEqual(["-1", "0", "1"]);
    expect(expandBraces("{a,b")).toEqual(["{a,b"]);
    expect(expandBraces("{}-{1..2}")).toEqual(["{}-1", "{}-2"]);
    expect(expandBraces("{998..1002}")).toEqual(["998", "999", "1000", "1001", "1002"]);
  });

  test("more than a million names are a slip", () => {
    expect(expandBraces("{1..1000000}")).toHaveLength(1_000_000);
    for (const pattern of ["{1..1000001}", "{0..9999}{0..999}", "{0..99999999999}"])
      expect(() => expandBraces(pattern)).toThrow(/more than 1,000,000 names/);
  });
});
