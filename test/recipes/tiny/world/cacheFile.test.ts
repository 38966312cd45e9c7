import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCacheFile } from "../../../../recipes/tiny/world/cacheFile.node.js";

const folder = await mkdtemp(join(tmpdir(), "openflamingo-cache-"));
afterAll(() => rm(folder, { recursive: true }));

let made = 0;
const open = (path: string, version: number, rows = 3, progress?: (done: number, total: number) => void) =>
  openCacheFile({
    path: join(folder, "made on the way", path),
    madeOf: { version },
    rows,
    rowBytes: 2,
    make: async function* () {
      made++;
      for (let i = 0; i < 3; i++) yield Uint8Array.of(i, version);
    },
    progress,
  });

test("rows are made once, and again when something else should be in them or the file is cut off", async () => {
  const rows = [0, 7, 1, 7, 2, 7];
  expect([...(await open("a", 7))]).toEqual(rows);
  expect([...(await open("a", 7))]).toEqual(rows);
  expect(made).toBe(1);
  expect([...(await open("a", 8))]).toEqual([0, 8, 1, 8, 2, 8]);
  expect(made).toBe(2);
  const path = join(folder, "made on the way", "a");
  await writeFile(path, (await readFile(path)).subarray(0, -1));
  expect([...(await open("a", 8))]).toEqual([0, 8, 1, 8, 2, 8]);
  expect(made).toBe(3);
});

test("progress is told row by row, and rows that are missing are an error that leaves no file", async () => {
  const told: number[][] = [];
  await open("b", 1, 3, (done, total) => told.push([done, total]));
  expect(told).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
  await expect(open("c", 1, 4)).rejects.toThrow("3 rows were made, not 4");
  await expect(readFile(join(folder, "made on the way", "c"))).rejects.toThrow("ENOENT");
});
