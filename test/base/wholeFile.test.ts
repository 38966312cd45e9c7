/** A file is written atomically. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { requireWritable, writeWhole } from "../../src/base/wholeFile.node.js";
import { rejected } from "../reliability.js";

/** The mode of each file in the moment in which it is made. */
const modesAtFirst = vi.hoisted((): number[] => []);
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const open: typeof real.open = async (path, flags, mode) => {
    const file = await real.open(path, flags, mode);
    if (flags === "wx") modesAtFirst.push((await file.stat()).mode & 0o7777);
    return file;
  };
  return { ...real, open };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "whole-file-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a new file, and one in the place of an old one; nothing else is left", async () => {
  const path = join(folder, "a.bin");
  await writeWhole(path, (file) => file.writeFile("old"));
  await writeWhole(path, (file) => file.writeFile("new"));
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("a writer that fails leaves the old file, and its error is its own", async () => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  const failing = writeWhole(path, async (file) => {
    await file.writeFile("half of the n");
    throw new Error("no more");
  });
  await expect(failing).rejects.toThrow("no more");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("what a killed process left unfinished is removed, what a living one writes is not", async () => {
  const path = join(folder, "a.bin");
  const { pid: dead } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(join(folder, `.a.bin.unfinished-${dead}-x`), "");
  writeFileSync(join(folder, `.a.bin.unfinished-${process.pid}-x`), "");
  writeFileSync(join(folder, `.b.bin.unfinished-${dead}-x`), "");
  await writeWhole(path, (file) => file.writeFile("new"));
  expect(readdirSync(folder).sort()).toEqual(
    [`.a.bin.unfinished-${process.pid}-x`, `.b.bin.unfinished-${dead}-x`, "a.bin"].sort(),
  );
});

test("two writers at once: the last one's file is whole", async () => {
  const path = join(folder, "a.bin");
  const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000));
  await Promise.all(contents.map((content) => writeWhole(path, (file) => file.writeFile(content))));
  expect(contents).toContain(readFileSync(path, "utf8"));
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

const hasModes = process.platform !== "win32";
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const unfinishedIn = (at: string) => readdirSync(at).find((name) => name.includes(".unfinished-"))!;

test.skipIf(!hasModes).each(["600", "640", "644", "666", "755", "400"])(
  "a file of mode %s keeps it, and is its owner's alone while it is written",
  async (mode) => {
    const path = join(folder, "a.bin");
    writeFileSync(path, "old");
    chmodSync(path, Number.parseInt(mode, 8));
    await writeWhole(path, async (file) => {
      expect(modeOf(join(folder, unfinishedIn(folder)))).toBe("600");
      await file.writeFile("new");
      expect(modeOf(join(folder, unfinishedIn(folder)))).toBe("600");
    });
    expect(modeOf(path)).toBe(mode);
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(modesAtFirst.at(-1)).toBe(0o600);
  },
);

test.skipIf(!hasModes)("a file that ran as its owner does not so with another's content", async () => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  chmodSync(path, 0o4755);
  await writeWhole(path, (file) => file.writeFile("new"));
  expect(modeOf(path)).toBe("755");
});

test.skipIf(!hasModes).each([
  ["022", "644"],
  ["077", "600"],
  ["002", "664"],
])("under the umask %s a new file is of mode %s, as any program's", async (umask, mode) => {
  const before = process.umask(Number.parseInt(umask, 8));
  try {
    const path = join(folder, "a.bin");
    await writeWhole(path, async () => expect(modeOf(join(folder, unfinishedIn(folder)))).toBe("600"));
    expect(modeOf(path)).toBe(mode);
  } finally {
    process.umask(before);
  }
});

const isRoot = process.getuid?.() === 0;
if (!hasModes) console.log("skipped, as this system has no permissions of files: what they become");
if (!isRoot) console.log("skipped, as only root can act as others: files of other users");

test.skipIf(!isRoot)("a file of another user stays that user's", async () => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  chownSync(path, 1234, 5678);
  await writeWhole(path, (file) => file.writeFile("new"));
  expect(statSync(path)).toMatchObject({ uid: 1234, gid: 5678 });
});

test.skipIf(!isRoot).each([
  ["640", "600"],
  ["660", "600"],
  ["664", "644"],
  ["646", "646"],
  ["755", "755"],
])("a file of mode %s whose owner cannot be kept becomes %s: its new group is another", async (old, mode) => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  chmodSync(path, Number.parseInt(old, 8));
  chmodSync(folder, 0o777);
  process.seteuid!(1234);
  try {
    await writeWhole(path, (file) => file.writeFile("new"));
  } finally {
    process.seteuid!(0);
  }
  expect(modeOf(path)).toBe(mode);
  expect(statSync(path).uid).toBe(1234);
});

test.skipIf(!hasModes)("a link is replaced by the file; what it led to stays as it was", async () => {
  for (const target of ["secret", "none"]) {
    const path = join(folder, `to-${target}`);
    if (target === "secret") writeFileSync(join(folder, target), "old", { mode: 0o600 });
    symlinkSync(target, path);
    await requireWritable(path);
    await writeWhole(path, (file) => file.writeFile("new"));
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("new");
  }
  expect(readFileSync(join(folder, "secret"), "utf8")).toBe("old");
  expect(modeOf(join(folder, "secret"))).toBe("600");
  expect(readdirSync(folder).sort()).toEqual(["secret", "to-none", "to-secret"]);
});

const content = Buffer.alloc(200_000, "x");
const write = (path: string) => writeWhole(path, (file) => file.writeFile(content));

test.each([
  ["a folder that is not there", (at: string) => join(at, "none/a.bin"), "there is no such folder"],
  [
    "a folder that is a file",
    (at: string) => {
      writeFileSync(join(at, "file"), "");
      return join(at, "file/a.bin");
    },
    "what should be its folder is a file",
  ],
  [
    "the name of a folder",
    (at: string) => {
      mkdirSync(join(at, "a.bin"));
      return join(at, "a.bin");
    },
    "there is a folder of that name",
  ],
])("%s is reported", async (what, make, message) => {
  const path = make(folder);
  for (const call of [write, requireWritable]) {
    await expect(call(path)).rejects.toMatchObject({
      code: "disk",
      message: `${path}: cannot be written: ${message}`,
      hint: expect.any(String),
    });
  }
  rejected("Files that are written", what, "disk");
});

test.skipIf(!hasModes).each([
  ["a pipe", (at: string) => execFileSync("mkfifo", [at])],
  ["a socket", (at: string) => new Promise<void>((done) => void createServer().listen(at, done).unref())],
  ["a link to a device", (at: string) => symlinkSync("/dev/null", at)],
  ["a link to a pipe", (at: string) => execFileSync("sh", ["-c", 'mkfifo "$0.p" && ln -s "$0.p" "$0"', at])],
  ["a link to a folder", (at: string) => symlinkSync(".", at)],
])("%s is not replaced", async (what, make) => {
  const path = join(folder, "a.bin");
  await make(path);
  const before = lstatSync(path).ino;
  for (const call of [write, requireWritable]) {
    await expect(call(path)).rejects.toMatchObject({
      code: "disk",
      message: expect.stringMatching(/cannot be written: there is a (pipe|folder)/),
    });
  }
  expect(lstatSync(path).ino).toBe(before);
  rejected("Files that are written", what, "disk");
});

/** A disk of its own, where the system lets this test make one. */
function withDisk(options: string, work: (disk: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
    if (mounted.status !== 0) {
      console.log(`skipped, as this user may not mount a disk of "${options}"`);
      return;
    }
    try {
      await work(disk);
    } finally {
      execFileSync("umount", ["-l", disk]);
    }
  };
}

test(
  "a full disk keeps the old file, and is reported",
  withDisk("size=100k", async (disk) => {
    const path = join(disk, "a.bin");
    writeFileSync(path, "old");
    await expect(write(path)).rejects.toMatchObject({
      code: "disk",
      message: `${path}: cannot be written: there is no space left on the disk`,
    });
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(disk)).toEqual(["a.bin"]);
    rejected("Files that are written", "a full disk", "disk");
  }),
);

test(
  "a read-only disk is reported",
  withDisk("ro", async (disk) => {
    const path = join(disk, "a.bin");
    for (const call of [write, requireWritable]) {
      await expect(call(path)).rejects.toMatchObject({
        code: "disk",
        message: `${path}: cannot be written: the disk is read-only`,
      });
    }
    rejected("Files that are written", "a read-only disk", "disk");
  }),
);
