/** A file is written atomically. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { requireWritable, writeWhole } from "../../src/base/wholeFile.node.js";
import { rejected } from "../reliability.js";

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
