/** Downloads from a hub on this machine: what is kept, what is rejected, and what a server cannot bring about. */
import { chmod, lstat, mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { withLock } from "../../src/base/lock.node.js";
import { type HubOptions, hubFile } from "../../src/hub/hub.node.js";
import { readHubSettings } from "../../src/hub/settings.node.js";
import {
  cacheFolder,
  commitA,
  gitHash,
  hubOptions,
  type Lie,
  noise,
  sha256,
  startHub,
  type TestRepository,
} from "./server.js";

const repository = "owner/model";
const small = Buffer.from('{"a": 1}\n');
const large = noise(300_000);
const files = { "config.json": { bytes: small }, "sub/weights.bin": { bytes: large, isLarge: true } };
const whole: TestRepository = { commit: commitA, files };

async function hubWith(one: Partial<TestRepository> = {}, more: Record<string, TestRepository> = {}) {
  const hub = await startHub({ [repository]: { ...whole, ...one }, ...more });
  onTestFinished(() => hub.close());
  return hub;
}

const at = (file: string, revision = "main") => ({ repository, revision, file });

async function failureOf(asked: ReturnType<typeof at>, options: HubOptions): Promise<OpenFlamingoError> {
  return hubFile(asked, options).then(
    (found) => {
      throw new Error(`was fetched: ${found?.path}`);
    },
    (error: OpenFlamingoError) => error,
  );
}

/** Files of the cache that a reader could take for whole. */
async function wholeFiles(cache: string): Promise<readonly string[]> {
  const entries = await readdir(cache, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && !/openflamingo-(part|lock)/.test(entry.name))
    .map((entry) => entry.name)
    .filter((name) => name !== "main");
}

test("files are laid out as Python's huggingface_hub does: blobs, refs and links", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const options = hubOptions(hub, cache);
  for (const [name, { bytes }] of Object.entries(files)) {
    const found = await hubFile(at(name), options);
    expect(found?.path).toBe(join(cache, "models--owner--model/snapshots", commitA, name));
    expect(await readFile(found!.path)).toEqual(Buffer.from(bytes));
  }
  const folder = join(cache, "models--owner--model");
  expect(await readFile(join(folder, "refs/main"), "utf8")).toBe(commitA);
  expect((await readdir(join(folder, "blobs"))).sort()).toEqual([sha256(large), gitHash(small)].sort());
  expect(await readlink(join(folder, "snapshots", commitA, "sub/weights.bin"))).toBe(
    `../../../blobs/${sha256(large)}`,
  );
});

test("a file that is in the cache is not fetched again, and not asked for by commit, offline or if the cache is preferred", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const first = await hubFile(at("config.json"), hubOptions(hub, cache));
  const before = hub.requests.length;
  for (const [revision, more] of [
    [commitA, {}],
    ["main", { preferCache: true }],
    ["main", { isOffline: true }],
  ] as const) {
    expect(await hubFile(at("config.json", revision), hubOptions(hub, cache, more))).toEqual(first);
  }
  expect(hub.requests.length).toBe(before);
  await hubFile(at("config.json"), hubOptions(hub, cache));
  expect(hub.requests.slice(before).map(({ method }) => method)).toEqual(["HEAD"]);
});

test("a missing file is undefined, and known to be missing from then on", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  expect(await hubFile(at("none.json"), hubOptions(hub, cache))).toBeUndefined();
  expect(await hubFile(at("none.json"), hubOptions(hub, cache, { isOffline: true }))).toBeUndefined();
});

test("where links do not work the snapshot has copies", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const symlink = () => Promise.reject(Object.assign(new Error("no"), { code: "EPERM", syscall: "symlink" }));
  const found = await hubFile(at("config.json"), hubOptions(hub, cache, { symlink }));
  expect((await lstat(found!.path)).isFile()).toBe(true);
  expect(await readFile(found!.path)).toEqual(small);
});

test("a token goes to the hub alone, and is in no message", async () => {
  const token = "hf_secret";
  const hub = await hubWith({ token });
  const cache = await cacheFolder();
  const gated = await failureOf(at("config.json"), hubOptions(hub, cache, { token: "hf_wrong" }));
  expect(gated.code).toBe("network");
  expect(gated.message).toMatch(/owner\/model is gated/);
  expect(gated.hint).toMatch(/HF_TOKEN/);
  expect(gated.hint).toContain(join(cache, "models--owner--model", "snapshots"));
  expect(`${gated.message} ${gated.hint}`).not.toMatch(/hf_/);
  await hubFile(at("sub/weights.bin"), hubOptions(hub, cache, { token }));

  const elsewhere = await hubWith();
  hub.lie = (request, response) => {
    if (request.method === "HEAD") return false;
    response.writeHead(302, { location: `${elsewhere.endpoint}/cdn/${sha256(large)}` }).end();
    return true;
  };
  const other = await cacheFolder();
  const error = await failureOf(at("config.json"), hubOptions(hub, other, { token }));
  expect(error.message).toMatch(/not public \(loopback\)/);
  expect(elsewhere.requests).toEqual([]);
  await hubFile(at("config.json"), hubOptions(hub, other, { token, allowPrivateAddresses: true })).catch(
    () => {},
  );
  expect(elsewhere.requests.length).toBeGreaterThan(0);
  expect(elsewhere.requests.every((each) => each.token === undefined)).toBe(true);
});

test("a renamed repository is followed", async () => {
  const hub = await hubWith({ renamedTo: "owner/new" }, { "owner/new": whole });
  const found = await hubFile(at("sub/weights.bin"), hubOptions(hub, await cacheFolder()));
  expect(await readFile(found!.path)).toEqual(Buffer.from(large));
});

const head =
  (headers: Record<string, string | number>): Lie =>
  (request, response) => {
    if (request.method !== "HEAD") return false;
    const good = { "x-repo-commit": commitA, "x-linked-etag": sha256(large), "x-linked-size": large.length };
    response.writeHead(200, { ...good, ...headers }).end();
    return true;
  };
const body =
  (answer: (response: Parameters<Lie>[1], range: string | undefined) => void): Lie =>
  (request, response) => {
    if (!request.url!.startsWith("/cdn/")) return false;
    answer(response, request.headers.range);
    return true;
  };

const hostile: readonly [what: string, lie: Lie, error: RegExp][] = [
  [
    "an etag that is a path",
    head({ "x-linked-etag": '"../../../../evil"' }),
    /its etag is .* no hash of a file/,
  ],
  ["an etag that is absent", head({ "x-linked-etag": "" }), /its etag is .* no hash of a file/],
  ["a commit that is a path", head({ "x-repo-commit": "../../evil" }), /its commit is .* which is none/],
  ["no size", head({ "x-linked-size": "1e9" }), /its size is "1e9", which is none/],
  ["a smaller size than it sends", head({ "x-linked-size": 1000 }), /another length|ignores the range/],
  [
    "a larger size than it sends",
    head({ "x-linked-size": 400_000 }),
    /another length|other bytes|answers 416/,
  ],
  ["another hash", head({ "x-linked-etag": "b".repeat(64) }), /hash is \w+; it must be b{64}/],
  [
    "the whole for a range",
    body((response) => response.writeHead(200, { "content-length": large.length }).end(large)),
    /ignores the range/,
  ],
  [
    "the whole for a range, without a length",
    body((response) => {
      response.writeHead(200);
      response.write(large.subarray(0, 1000));
      response.end(large.subarray(1000));
    }),
    /ignores the range/,
  ],
  [
    "other bytes of the right length",
    body((response, range) => {
      const [first, last] = range!.match(/\d+/g)!.map(Number);
      const part = noise(last! - first! + 1, 7);
      response
        .writeHead(206, {
          "content-range": `bytes ${first}-${last}/${large.length}`,
          "content-length": part.length,
        })
        .end(part);
    }),
    /hash is \w+; it must be/,
  ],
  [
    "a packed body",
    body((response) => response.writeHead(206, { "content-encoding": "gzip" }).end()),
    /sends it as "gzip"/,
  ],
  [
    "a redirect that goes round",
    (request, response) => {
      response.writeHead(302, { location: request.url! }).end();
      return true;
    },
    /redirects again, after 5 redirects/,
  ],
  [
    "a redirect to a file",
    (_, response) => {
      response.writeHead(302, { location: "file:///etc/passwd" }).end();
      return true;
    },
    /redirects to an address of "file:"/,
  ],
  [
    "a server error",
    (_, response) => {
      response.writeHead(503).end();
      return true;
    },
    /answers 503/,
  ],
];

for (const [what, lie, message] of hostile) {
  test(`${what} is rejected, and nothing is left that is taken for whole`, async () => {
    const hub = await hubWith();
    hub.lie = lie;
    const cache = await cacheFolder();
    const error = await failureOf(at("sub/weights.bin"), hubOptions(hub, cache, { stallSeconds: 2 }));
    expect(error.code).toBe("network");
    expect(error.message).toMatch(message);
    expect(await wholeFiles(cache)).toEqual([]);
  });
}

test("a small file may come without a length, but not longer or shorter than the hub stated", async () => {
  const hub = await hubWith();
  let sent = small;
  hub.lie = ({ method }, response) => {
    if (method === "HEAD") return false;
    response.writeHead(200);
    response.write(sent.subarray(0, 2));
    response.end(sent.subarray(2));
    return true;
  };
  for (const wrong of [Buffer.concat([small, small]), small.subarray(1)]) {
    sent = wrong;
    const cache = await cacheFolder();
    const error = await failureOf(at("config.json"), hubOptions(hub, cache));
    expect(error.message).toMatch(/sends another length than the 9 bytes it stated/);
    expect(await wholeFiles(cache)).toEqual([]);
  }
  sent = small;
  const found = await hubFile(at("config.json"), hubOptions(hub, await cacheFolder()));
  expect(await readFile(found!.path)).toEqual(small);
});

test("names that leave the cache are rejected before anything is asked", async () => {
  const hub = await hubWith();
  const options = hubOptions(hub, await cacheFolder());
  for (const file of ["../x", "/etc/passwd", "a/../../b", "a\\b", "", ".hidden/../x", "a\nb", "C:/x"]) {
    expect((await failureOf(at(file), options)).code).toBe("usage");
  }
  for (const revision of ["../main", "a/../../b", "", "/x"]) {
    expect((await failureOf(at("config.json", revision), options)).code).toBe("usage");
  }
  for (const name of ["owner/..", "../x", "owner", "a/b/c", "owner/a--b"]) {
    expect((await failureOf({ ...at("config.json"), repository: name }, options)).code).toBe("usage");
  }
  expect(hub.requests).toEqual([]);
});

test("a missing repository, a missing revision and a blocked network name the address and the place for a file", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const options = hubOptions(hub, cache);
  const absent = await failureOf({ ...at("config.json"), repository: "owner/none" }, options);
  expect(absent.message).toMatch(
    /127\.0\.0\.1:\d+\/owner\/none\/resolve\/main\/config\.json: there is no repository/,
  );
  expect((await failureOf(at("config.json", "v9"), options)).message).toMatch(/no revision "v9"/);
  hub.close();
  const blocked = await failureOf(at("config.json"), options);
  expect(blocked.message).toMatch(/cannot be fetched \(ECONNREFUSED\)/);
  expect(blocked.hint).toContain(join(cache, "models--owner--model/snapshots/COMMIT/config.json"));
  const offline = await failureOf(at("config.json"), hubOptions(hub, cache, { isOffline: true }));
  expect(offline.message).toMatch(/not in the cache, and HF_HUB_OFFLINE is set/);
});

test("a file by hand at the place that the error names is found", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const path = join(cache, "models--owner--model/snapshots", commitA, "config.json");
  await mkdir(dirname(path), { recursive: true });
  await mkdir(join(cache, "models--owner--model/refs"));
  await writeFile(path, small);
  await writeFile(join(cache, "models--owner--model/refs/main"), commitA);
  expect(await hubFile(at("config.json"), hubOptions(hub, cache, { isOffline: true }))).toEqual({
    path,
    commit: commitA,
  });
});

test("a disk without room is reported before anything is fetched", async () => {
  const hub = await hubWith();
  const options = hubOptions(hub, await cacheFolder(), { freeBytes: async () => 1000 });
  const error = await failureOf(at("sub/weights.bin"), options);
  expect(error.code).toBe("disk");
  expect(error.message).toMatch(/300,000 bytes are to be fetched, the disk has 1,000 free/);
  expect(hub.bytesAsked()).toBe(0);
});

const mayWriteAnywhere = process.getuid?.() === 0;
if (mayWriteAnywhere)
  console.log("skipped: a cache that may not be written: the superuser may write anywhere");
test.skipIf(mayWriteAnywhere)("a cache that may not be written is reported", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  await chmod(cache, 0o500);
  expect((await failureOf(at("config.json"), hubOptions(hub, cache))).message).toMatch(/may not write there/);
});

test("a cache whose folder is a file is reported", async () => {
  const hub = await hubWith();
  const cache = join(await cacheFolder(), "cache");
  await writeFile(cache, "");
  const error = await failureOf(at("config.json"), hubOptions(hub, cache));
  expect(error.code).toBe("disk");
  expect(error.message).toMatch(/cannot be written: what should be its folder is a file/);
});

test("an answer that stops is given up, and the next try goes on from there", async () => {
  const hub = await hubWith();
  let times = 0;
  hub.lie = (request, response) => {
    if (!request.url!.startsWith("/cdn/") || times++ > 0) return false;
    const [first, last] = request.headers.range!.match(/\d+/g)!.map(Number);
    const size = last! - first! + 1;
    response.writeHead(206, {
      "content-range": `bytes ${first}-${last}/${large.length}`,
      "content-length": size,
    });
    response.write(large.subarray(first, first! + 20_000));
    return true;
  };
  const found = await hubFile(
    at("sub/weights.bin"),
    hubOptions(hub, await cacheFolder(), { stallSeconds: 0.5 }),
  );
  expect(await readFile(found!.path)).toEqual(Buffer.from(large));
});

test("progress ends at the size, and a signal stops the download with its reason", async () => {
  const hub = await hubWith();
  const seen: [number, number][] = [];
  const onProgress = (done: number, total: number) => void seen.push([done, total]);
  await hubFile(at("sub/weights.bin"), hubOptions(hub, await cacheFolder(), { onProgress }));
  expect(seen.at(-1)).toEqual([large.length, large.length]);
  expect(seen.every(([done, total]) => done <= total)).toBe(true);
  const stop = new AbortController();
  const reason = new Error("enough");
  const options = hubOptions(hub, await cacheFolder(), {
    signal: stop.signal,
    onProgress: () => stop.abort(reason),
  });
  await expect(hubFile(at("sub/weights.bin"), options)).rejects.toBe(reason);
});

test("the lock of a dead process is taken over, that of a living one is waited for", async () => {
  const path = join(await cacheFolder(), "lock");
  const { hostname } = await import("node:os");
  await writeFile(path, JSON.stringify({ process: 2 ** 22 + 7, host: hostname() }));
  expect(await withLock(path, {}, async () => 1)).toBe(1);
  const order: string[] = [];
  let isWaiting = 0;
  const first = withLock(path, {}, async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    order.push("first");
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await withLock(path, { onWaiting: () => isWaiting++ }, async () => void order.push("second"));
  await first;
  expect(order).toEqual(["first", "second"]);
  expect(isWaiting).toBe(1);
});

test("who waits for another process that fetches the same file says so", async () => {
  const hub = await hubWith();
  const cache = await cacheFolder();
  const notices: string[] = [];
  let fetched: ReturnType<typeof hubFile> | undefined;
  const blob = join(cache, "models--owner--model/blobs", sha256(large));
  await withLock(`${blob}.openflamingo-lock`, {}, async () => {
    await new Promise<void>((resolve) => {
      const onNotice = (text: string) => {
        notices.push(text);
        resolve();
      };
      fetched = hubFile(at("sub/weights.bin"), hubOptions(hub, cache, { onNotice }));
    });
    expect(hub.bytesAsked()).toBe(0);
  });
  expect(await readFile((await fetched)!.path)).toEqual(Buffer.from(large));
  expect(notices).toEqual([
    "waiting for another process that fetches owner/model sub/weights.bin",
    "fetching owner/model sub/weights.bin (300,000 bytes)",
  ]);
});

test("settings are those of the environment variables of huggingface_hub", async () => {
  const home = await cacheFolder();
  await writeFile(join(home, "token"), "hf_file\n");
  const read = await readHubSettings({ HF_HOME: home, HF_HUB_OFFLINE: "1" });
  expect(read).toMatchObject({
    cache: join(home, "hub"),
    assets: join(home, "assets"),
    token: "hf_file",
    isOffline: true,
    isOwnEndpoint: false,
  });
  const own = await readHubSettings({
    HF_HOME: home,
    HF_HUB_CACHE: "/x",
    HF_ASSETS_CACHE: "/y",
    HF_TOKEN: "hf_b",
    HF_ENDPOINT: "http://h:1/p/",
  });
  expect(own).toMatchObject({
    cache: "/x",
    assets: "/y",
    token: "hf_b",
    isOffline: false,
    isOwnEndpoint: true,
  });
  expect(own.endpoint.href).toBe("http://h:1/p");
  await expect(readHubSettings({ HF_ENDPOINT: "file:///x" })).rejects.toThrow(
    /HF_ENDPOINT is file:…; it must be/,
  );
  const error = await readHubSettings({ HF_TOKEN: "hf_a\r\nx: y" }).catch((e: OpenFlamingoError) => e);
  expect(String(error)).toMatch(/HF_TOKEN holds no token/);
  expect(String(error)).not.toMatch(/hf_a/);
});
