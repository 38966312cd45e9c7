/** Every hostile archive, header and index, as a file on disk. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bytes, folderOf, temporaryFolder } from "../checkpoints/fixtures.js";
import { rejected } from "../reliability.js";
import { hostileArchives } from "./archives.js";
import { differs, expectDistinct, expectRejected, openFiles, readAll } from "./expect.js";
import { hostileIndexes, shards } from "./indexes.js";

test("there are at least 40 hostile archives and headers, no two trying the same or reported the same", () => {
  expect(hostileArchives.length).toBeGreaterThanOrEqual(40);
  expectDistinct(hostileArchives);
  expectDistinct(hostileIndexes);
});

const path = join(temporaryFolder(), "model.pt");
const expectNew = differs();
test.each(hostileArchives)("$name ($tries) is rejected by its own words", async (row) => {
  writeFileSync(path, bytes(row.bytes));
  const before = openFiles();
  const reported = await expectRejected(row, () => readAll(path));
  expect(reported, "the file").toContain(path);
  expectNew(reported);
  expect(openFiles(), "open files").toBe(before);
  rejected("Archives and headers", `${row.name}: ${row.tries}`, row.code);
});

test.each(hostileIndexes)("an index with $name ($tries) is rejected by its own words", async (row) => {
  const folder = folderOf(shards);
  mkdirSync(join(folder, "folder"));
  symlinkSync(join(folderOf({ secret: shards["1.safetensors"]! }), "secret"), join(folder, "link"));
  writeFileSync(join(folder, "model.safetensors.index.json"), row.bytes);
  const before = openFiles();
  expect(await expectRejected(row, () => readAll(folder)), "the folder").toContain(folder);
  expect(openFiles(), "open files").toBe(before);
  rejected("Indexes of shards", `${row.name}: ${row.tries}`, row.code);
});
