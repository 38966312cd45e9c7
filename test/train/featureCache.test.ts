/** Features are found again, after kills and damage too, and never those of another encoder. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openFeatureCache } from "../../src/train/featureCache.node.js";

let folder: string;
const onNotice = vi.fn();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "features-"));
  onNotice.mockClear();
});
afterEach(() => rmSync(folder, { recursive: true }));

const keyOf = (n: number) => n.toString(16).padStart(64, "0");
const featuresOf = (n: number) => Float32Array.from({ length: 5 }, (_, i) => n + i / 8);
const openCache = (options = {}) =>
  openFeatureCache(folder, { madeBy: "clip", length: 5, mostBytes: 1000, onNotice, ...options });

async function fill(count: number) {
  await using cache = await openCache();
  await Promise.all(Array.from({ length: count }, (_, n) => cache.put(keyOf(n), featuresOf(n))));
}

test("what was kept is found, in this opening and in the next", async () => {
  await using first = await openCache();
  await first.put(keyOf(1), featuresOf(1));
  await first.put(keyOf(1), featuresOf(1));
  expect(first.count).toBe(1);
  expect(await first.get(keyOf(1))).toEqual(featuresOf(1));
  expect(await first.get(keyOf(2))).toBeUndefined();
  await using second = await openCache();
  expect(await second.get(keyOf(1))).toEqual(featuresOf(1));
  await second.put(keyOf(2), featuresOf(2));
  expect(await second.get(keyOf(2))).toEqual(featuresOf(2));
  expect(onNotice).not.toHaveBeenCalled();
});

test.each([
  ["in a record", () => truncateSync(join(folder, "features.bin"), 2 * 20 + 7), 2],
  ["in a key", () => truncateSync(join(folder, "keys.bin"), 2 * 36 + 35), 2],
  ["between a record and its key", () => appendFileSync(join(folder, "features.bin"), Buffer.alloc(20)), 3],
])("a kill %s leaves the entries before it, and is written over", async (_, cut, count) => {
  await fill(3);
  cut();
  await using cache = await openCache();
  expect(cache.count).toBe(count);
  await cache.put(keyOf(7), featuresOf(7));
  await using next = await openCache();
  expect(next.count).toBe(count + 1);
  for (const n of [0, 1, 7]) expect(await next.get(keyOf(n))).toEqual(featuresOf(n));
});

test("a damaged record is reported once, and replaced", async () => {
  await fill(3);
  const bytes = readFileSync(join(folder, "features.bin"));
  for (const at of [3, 23]) bytes[at]! ^= 1;
  writeFileSync(join(folder, "features.bin"), bytes);
  await using cache = await openCache();
  expect(await cache.get(keyOf(0))).toBeUndefined();
  expect(await cache.get(keyOf(1))).toBeUndefined();
  expect(await cache.get(keyOf(2))).toEqual(featuresOf(2));
  expect(onNotice.mock.calls).toEqual([[`${folder}: features in it are damaged, and are computed anew`]]);
  await cache.put(keyOf(0), featuresOf(0));
  await using next = await openCache();
  expect(await next.get(keyOf(0))).toEqual(featuresOf(0));
});

test.each([
  ["another encoder", { madeBy: "another" }],
  ["features of another size", { length: 6 }],
])("%s is rejected", async (_, options) => {
  await fill(1);
  await expect(openCache(options)).rejects.toMatchObject({
    code: "usage",
    message: `${folder}: holds no features of this encoder`,
    hint: expect.stringContaining("another folder"),
  });
});

test.each(["", "[]", "{"])("so is a folder whose header is %j", async (text) => {
  writeFileSync(join(folder, "header.json"), text);
  await expect(openCache()).rejects.toMatchObject({ code: "usage" });
});

test("what finds no room is not kept, which is reported once", async () => {
  await using cache = await openCache({ mostBytes: 2 * 56 });
  for (const n of [1, 2, 3, 4]) await cache.put(keyOf(n), featuresOf(n));
  expect(cache.count).toBe(2);
  expect(onNotice).toHaveBeenCalledTimes(1);
  expect(onNotice.mock.calls[0]![0]).toContain("as large as it may be");
});

test("a folder that cannot be made is an error of the disk", async () => {
  writeFileSync(join(folder, "file"), "");
  const opening = openFeatureCache(join(folder, "file"), { madeBy: "", length: 5, mostBytes: 1, onNotice });
  await expect(opening).rejects.toMatchObject({ code: "disk" });
});
