/** Files of a model are opened in its folder only, whatever stands at their place, and whenever it came there. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { readdir, readFile, rename } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, test as base, beforeEach, expect, vi } from "vitest";
import { readText } from "../../src/checkpoints/file.node.js";
import { temporaryFolder } from "./fixtures.js";

const isWindows = process.platform === "win32";
if (isWindows)
  console.log("skipped, as Windows lets few make links, and has no pipes in folders: files of a folder");
const test = base.skipIf(isWindows);

/** What happens right before or after the next call of these, as another program could make it happen. */
const meanwhile = vi.hoisted(() => ({ before: {}, after: {} }) as Record<string, Record<string, () => void>>);
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const once = (when: "before" | "after", name: string) => {
    const act = meanwhile[when]![name];
    delete meanwhile[when]![name];
    act?.();
  };
  const wrapped = <Given extends unknown[], Result>(
    name: string,
    call: (...given: Given) => Promise<Result>,
  ) => {
    return async (...given: Given) => {
      once("before", name);
      const result = await call(...given);
      once("after", name);
      return result;
    };
  };
  return {
    ...real,
    realpath: wrapped("realpath", real.realpath as (path: string) => Promise<string>),
    lstat: wrapped("lstat", real.lstat),
    open: wrapped("open", real.open),
  };
});

let outside: string;
let folder: string;
beforeEach(() => {
  outside = temporaryFolder();
  folder = temporaryFolder();
  fs.mkdirSync(join(folder, "lang"));
  fs.mkdirSync(join(outside, "lang"));
  fs.writeFileSync(join(folder, "lang/config.json"), "own");
  fs.writeFileSync(join(outside, "lang/config.json"), "secret");
});
afterEach(() => {
  meanwhile.before = {};
  meanwhile.after = {};
});

const config = () => readText({ folder, path: join(folder, "lang/config.json") });

/** Exchanges are made by `rename`, which is one step, as an attacker would. */
const exchangeFile = (make: (at: string) => void) => () => {
  make(join(folder, "new"));
  fs.renameSync(join(folder, "new"), join(folder, "lang/config.json"));
};
const exchangeFolder = () => {
  fs.renameSync(join(folder, "lang"), join(folder, "old"));
  fs.symlinkSync(join(outside, "lang"), join(folder, "lang"));
};
const exchangeBack = () => {
  fs.rmSync(join(folder, "lang"));
  fs.renameSync(join(folder, "old"), join(folder, "lang"));
};

const exchanges: readonly [what: string, exchange: () => void][] = [
  ["a link out", exchangeFile((at) => fs.symlinkSync(join(outside, "lang/config.json"), at))],
  ["a pipe", exchangeFile((at) => execFileSync("mkfifo", [at]))],
  ["a link to a device", exchangeFile((at) => fs.symlinkSync("/dev/zero", at))],
  ["another file", exchangeFile((at) => fs.writeFileSync(at, "other"))],
  ["a folder that is a link out", exchangeFolder],
];
const moments = [
  ["after", "realpath"],
  ["before", "lstat"],
  ["after", "lstat"],
  ["before", "open"],
  ["after", "open"],
] as const;
for (const [what, exchange] of exchanges) {
  test.each(moments)(`${what} in the place of a file, %s %s, is not read`, async (when, call) => {
    meanwhile[when]![call] = exchange;
    const started = performance.now();
    const found = await config();
    expect(performance.now() - started).toBeLessThan(1000);
    // A file of the folder's own that came before anything was looked at is as good as the one before.
    if ("text" in found) expect(found.text).toBe(what === "another file" ? "other" : "nothing");
    else expect(found.fault).toMatch(/replaced|leaves|not a file/);
  });
}

test("a folder that is exchanged before the file is opened and back after it is noticed", async () => {
  meanwhile.before!.open = exchangeFolder;
  meanwhile.after!.open = exchangeBack;
  expect(await config()).toMatchObject({ fault: "was replaced while it was opened" });
});

test("while a link goes back and forth, only the folder's own file is ever read", async () => {
  const inFolder = (name: string) => join(folder, name);
  fs.writeFileSync(inFolder("spare"), "own");
  let done = false;
  const attack = (async () => {
    while (!done) {
      fs.symlinkSync(join(outside, "lang/config.json"), inFolder("link"));
      await rename(inFolder("link"), inFolder("lang/config.json"));
      await new Promise((resume) => setTimeout(resume, Math.random()));
      fs.copyFileSync(inFolder("spare"), inFolder("copy"));
      await rename(inFolder("copy"), inFolder("lang/config.json"));
      await new Promise((resume) => setTimeout(resume, Math.random()));
    }
  })();
  const seen = new Map<string, number>();
  for (let i = 0; i < 500 || (i < 5000 && seen.size < 2); i++) {
    const found = await config();
    const what = "text" in found ? found.text : found.fault;
    seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  done = true;
  await attack;
  console.log([...seen].map(([what, count]) => `${count} times: ${what}`).join(", "));
  const known = ["own", "is a link that leaves the folder", "was replaced while it was opened"];
  expect([...seen.keys()].filter((what) => !known.includes(what))).toEqual([]);
  expect(seen.size).toBeGreaterThan(1);
});

const openFiles = async () =>
  (await readdir("/proc/self/fd").catch(() => [])).filter((fd) => Number(fd) > 2).length;

test("no file stays open, whatever is found", async () => {
  const before = await openFiles();
  for (const [, exchange] of exchanges.slice(0, 4)) {
    meanwhile.after!.open = exchange;
    expect(await config()).toHaveProperty("fault");
    exchangeFile((at) => fs.writeFileSync(at, new Uint8Array([0xff])))();
  }
  expect(await config()).toMatchObject({ fault: "is not UTF-8" });
  expect(await openFiles()).toBe(before);
});

test("a file of just the limit is read, one of a byte more is not", async () => {
  const at = { folder, path: join(folder, "lang/config.json") };
  expect(await readText(at, { limit: 3 })).toEqual({ text: "own" });
  expect(await readText(at, { limit: 2 })).toMatchObject({ fault: "takes 3 bytes; at most 2 are read" });
});

test("reading can be cancelled, before and in the middle", async () => {
  const at = { folder, path: join(folder, "lang/config.json") };
  const stop = new AbortController();
  meanwhile.after!.open = () => stop.abort(new Error("stopped"));
  await expect(readText(at, { signal: stop.signal })).rejects.toThrow("stopped");
  await expect(readText(at, { signal: stop.signal })).rejects.toThrow("stopped");
});

/** A hub cache with one revision; its files are links to `blobs`, as huggingface_hub writes them. */
function hubCache(): { cache: string; snapshot: string } {
  const cache = join(temporaryFolder(), "models--org--name");
  const snapshot = join(cache, "snapshots/0123abc");
  fs.mkdirSync(join(cache, "blobs"), { recursive: true });
  fs.mkdirSync(join(snapshot, "lang/deep"), { recursive: true });
  fs.writeFileSync(join(cache, "blobs/77aa"), "blob");
  fs.symlinkSync("../../blobs/77aa", join(snapshot, "config.json"));
  fs.symlinkSync("../../../blobs/77aa", join(snapshot, "lang/config.json"));
  fs.symlinkSync("../../../../blobs/77aa", join(snapshot, "lang/deep/config.json"));
  fs.writeFileSync(join(snapshot, "plain.json"), "blob");
  return { cache, snapshot };
}

test("a snapshot of a hub cache is read: its files may be links to the cache's blobs", async () => {
  const { snapshot } = hubCache();
  const link = join(temporaryFolder(), "link");
  fs.symlinkSync(snapshot, link);
  for (const root of [snapshot, link]) {
    for (const name of ["config.json", "lang/config.json", "lang/deep/config.json", "plain.json"]) {
      expect(await readText({ folder: root, path: join(root, name) })).toEqual({ text: "blob" });
    }
    for (const part of ["lang", "lang/deep"]) {
      const within = join(root, part);
      expect(await readText({ folder: within, path: join(within, "config.json") })).toEqual({ text: "blob" });
    }
  }
});

const leaving: readonly [what: string, make: (cache: string, snapshot: string) => void][] = [
  [
    "the file of another model",
    (cache, snapshot) => {
      const other = join(cache, "../models--org--other/blobs");
      fs.mkdirSync(other, { recursive: true });
      fs.writeFileSync(join(other, "1"), "secret");
      fs.symlinkSync("../../../models--org--other/blobs/1", join(snapshot, "x.json"));
    },
  ],
  [
    "another revision",
    (cache, snapshot) => {
      fs.mkdirSync(join(cache, "snapshots/other"));
      fs.writeFileSync(join(cache, "snapshots/other/1"), "secret");
      fs.symlinkSync("../other/1", join(snapshot, "x.json"));
    },
  ],
  [
    "a blob that is a link itself",
    (cache, snapshot) => {
      fs.symlinkSync(join(outside, "lang/config.json"), join(cache, "blobs/1"));
      fs.symlinkSync("../../blobs/1", join(snapshot, "x.json"));
    },
  ],
  [
    "blobs that are a link themselves",
    (cache, snapshot) => {
      fs.rmSync(join(cache, "blobs"), { recursive: true });
      fs.symlinkSync(join(outside, "lang"), join(cache, "blobs"));
      fs.symlinkSync("../../blobs/config.json", join(snapshot, "x.json"));
    },
  ],
  [
    "a folder in the blobs",
    (cache, snapshot) => {
      fs.mkdirSync(join(cache, "blobs/in"));
      fs.writeFileSync(join(cache, "blobs/in/1"), "secret");
      fs.symlinkSync("../../blobs/in/1", join(snapshot, "x.json"));
    },
  ],
  [
    "a file beside the blobs",
    (cache, snapshot) => {
      fs.writeFileSync(join(cache, "1"), "secret");
      fs.symlinkSync("../../1", join(snapshot, "x.json"));
    },
  ],
  [
    "a folder whose name begins as the blobs'",
    (cache, snapshot) => {
      fs.mkdirSync(join(cache, "blobs2"));
      fs.writeFileSync(join(cache, "blobs2/1"), "secret");
      fs.symlinkSync("../../blobs2/1", join(snapshot, "x.json"));
    },
  ],
];
test.each(leaving)("a link from a snapshot to %s leaves the folder", async (_, make) => {
  const { cache, snapshot } = hubCache();
  make(cache, snapshot);
  const found = await readText({ folder: snapshot, path: join(snapshot, "x.json") });
  expect(found).toMatchObject({ fault: "is a link that leaves the folder" });
});

test.each([
  ["datasets--org--name", "snapshots"],
  ["model", "snapshots"],
  ["models--org--name", "files"],
])("%s/%s is no hub cache of a model: links to blobs leave the folder", async (model, snapshots) => {
  const { cache } = hubCache();
  const moved = join(temporaryFolder(), model);
  fs.renameSync(cache, moved);
  if (snapshots !== "snapshots") fs.renameSync(join(moved, "snapshots"), join(moved, snapshots));
  const root = join(moved, snapshots, "0123abc");
  expect(await readText({ folder: root, path: join(root, "config.json") })).toMatchObject({
    fault: "is a link that leaves the folder",
  });
});

test("the folder of all snapshots is none of them: links to blobs leave it", async () => {
  const { cache } = hubCache();
  const folder = join(cache, "snapshots");
  expect(await readText({ folder, path: join(folder, "0123abc/config.json") })).toMatchObject({
    fault: "is a link that leaves the folder",
  });
});

test("a folder whose name begins with two dots is in the folder, as mounted volumes have it", async () => {
  fs.mkdirSync(join(folder, "..data"));
  fs.writeFileSync(join(folder, "..data/config.json"), "mounted");
  fs.symlinkSync("..data/config.json", join(folder, "config.json"));
  expect(await readText({ folder, path: join(folder, "config.json") })).toEqual({ text: "mounted" });
});

test("a link that comes in a file's place right before it is opened is not even opened", async () => {
  let times = 0;
  meanwhile.before!.open = exchangeFile((at) => fs.symlinkSync(join(outside, "lang/config.json"), at));
  meanwhile.after!.open = () => times++;
  expect(await config()).toMatchObject({ fault: "was replaced while it was opened" });
  expect(times, "files that were opened").toBe(0);
});

test("what the caller named may be a link to anywhere, but must be a file", async () => {
  const link = join(folder, "link");
  fs.symlinkSync(join(outside, "lang/config.json"), link);
  expect(await readText({ path: link })).toEqual({ text: await readFile(link, "utf8") });
  expect(await readText({ path: outside })).toMatchObject({ fault: "is not a file but a folder" });
  expect(await readText({ path: join(folder, "none") })).toMatchObject({
    fault: "there is no such file",
    absent: true,
  });
  expect(await readText({ path: `${link}/x` })).toMatchObject({
    fault: "there is no such file: a folder of its path is a file",
  });
  expect(await readText({ path: "a\0b" })).toMatchObject({ fault: "is no path" });
  const socket = join(folder, "socket");
  const server = createServer();
  await new Promise<void>((done) => void server.listen(socket, done));
  expect(await readText({ path: socket })).toMatchObject({ fault: "is not a file but a socket" });
  server.close();
});

test("only what is not there at all is absent", async () => {
  const at = (name: string) => readText({ folder, path: join(folder, name) });
  fs.symlinkSync("nowhere", join(folder, "dangling"));
  fs.symlinkSync("round", join(folder, "round"));
  fs.symlinkSync(join(outside, "none"), join(folder, "danglingOut"));
  expect(await at("none")).toMatchObject({ fault: "is not there", absent: true });
  for (const [name, fault] of [
    ["dangling", "is a link to what is not there"],
    ["danglingOut", "is a link to what is not there"],
    ["round", "is a link that leads back to itself"],
    ["lang/config.json/x", "is not there: a folder of its path is a file"],
    ["lang", "is not a file but a folder"],
    ["x".repeat(300), "cannot be opened (ENAMETOOLONG)"],
  ]) {
    const found = await at(name!);
    expect(found).toMatchObject({ fault });
    expect(found).not.toHaveProperty("absent");
  }
});
