/** Features are found again, after kills and damage too, and never those of another encoder. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openFeatureCache } from "../../src/train/featureCache.node.js";

/** Bytes that the disk takes: the last of them in a write that says so in its number alone, as the system does. */
const disk = vi.hoisted(() => ({ room: Number.POSITIVE_INFINITY, isBroken: false }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const open: typeof real.open = async (...args) => {
    const file = await real.open(...args);
    const { write, read } = file;
    type Place = [buffer: Uint8Array, offset: number, length: number, position: number];
    file.write = (async (...[buffer, offset, length, position]: Place) => {
      if (disk.room === 0) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write" });
      const taken = Math.min(length, disk.room);
      disk.room -= taken;
      return (write as (...args: Place) => ReturnType<typeof write>).call(
        file,
        buffer,
        offset,
        taken,
        position,
      );
    }) as typeof write;
    file.read = (async (...args: Place) => {
      if (disk.isBroken) throw Object.assign(new Error("EIO"), { code: "EIO", syscall: "read" });
      return (read as (...args: Place) => ReturnType<typeof read>).apply(file, args);
    }) as typeof read;
    return file;
  };
  return { ...real, open };
});

let folder: string;
const onNotice = vi.fn();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "features-"));
  onNotice.mockClear();
  Object.assign(disk, { room: Number.POSITIVE_INFINITY, isBroken: false });
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
  const first = await openCache();
  await first.put(keyOf(1), featuresOf(1));
  await first.put(keyOf(1), featuresOf(1));
  expect(first.count).toBe(1);
  expect(await first.get(keyOf(1))).toEqual(featuresOf(1));
  expect(await first.get(keyOf(2))).toBeUndefined();
  await first.close();
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
  const cache = await openCache();
  expect(cache.count).toBe(count);
  await cache.put(keyOf(7), featuresOf(7));
  await cache.close();
  await using next = await openCache();
  expect(next.count).toBe(count + 1);
  for (const n of [0, 1, 7]) expect(await next.get(keyOf(n))).toEqual(featuresOf(n));
});

test("a damaged record is reported once, and replaced", async () => {
  await fill(3);
  const bytes = readFileSync(join(folder, "features.bin"));
  for (const at of [3, 23]) bytes[at]! ^= 1;
  writeFileSync(join(folder, "features.bin"), bytes);
  const cache = await openCache();
  expect(await cache.get(keyOf(0))).toBeUndefined();
  expect(await cache.get(keyOf(1))).toBeUndefined();
  expect(await cache.get(keyOf(2))).toEqual(featuresOf(2));
  expect(onNotice.mock.calls).toEqual([[`${folder}: features in it are damaged, and are computed anew`]]);
  await cache.put(keyOf(0), featuresOf(0));
  await cache.close();
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

test("a second one at a time finds and keeps nothing, and says who has the folder", async () => {
  const first = await openCache();
  await first.put(keyOf(1), featuresOf(1));
  {
    await using second = await openCache();
    expect(onNotice.mock.calls).toEqual([
      [expect.stringContaining(`process ${process.pid} on "${hostname()}" uses these features`)],
    ]);
    await second.put(keyOf(2), featuresOf(2));
    expect([await second.get(keyOf(1)), await second.get(keyOf(2)), second.count]).toEqual([
      undefined,
      undefined,
      0,
    ]);
  }
  await first.put(keyOf(3), featuresOf(3));
  await first.close();
  await using third = await openCache();
  expect(third.count).toBe(2);
  for (const n of [1, 3]) expect(await third.get(keyOf(n))).toEqual(featuresOf(n));
  // A lock whose process writes nothing into it is somebody's all the same.
  await third.close();
  writeFileSync(join(folder, "lock"), "");
  await using fourth = await openCache();
  expect(fourth.count).toBe(0);
  expect(onNotice.mock.calls[1]).toEqual([expect.stringContaining("another process uses these features")]);
});

test.each([
  ["before anything is written", 0],
  ["in a record", 7],
  ["in a key", 20 + 9],
])(
  "a disk that is full %s: what was kept stays, the rest is computed, which is told once",
  async (_, room) => {
    await fill(2);
    const cache = await openCache();
    disk.room = room;
    for (const n of [5, 6]) await cache.put(keyOf(n), featuresOf(n));
    expect(cache.count).toBe(2);
    expect(await cache.get(keyOf(5))).toBeUndefined();
    expect(await cache.get(keyOf(1))).toEqual(featuresOf(1));
    expect(onNotice.mock.calls).toEqual([
      [expect.stringMatching(/no space left on the disk: features are comp/)],
    ]);
    await cache.close();
    disk.room = Number.POSITIVE_INFINITY;
    const next = await openCache();
    expect(next.count).toBe(2);
    await next.put(keyOf(5), featuresOf(5));
    expect(await next.get(keyOf(5))).toEqual(featuresOf(5));
    await next.close();
  },
);

test("a record that the disk does not give back is damaged", async () => {
  await fill(1);
  await using cache = await openCache();
  disk.isBroken = true;
  expect(await cache.get(keyOf(0))).toBeUndefined();
  expect(onNotice.mock.calls).toEqual([[expect.stringContaining("are damaged")]]);
});

test("a folder that cannot be made is an error of the disk", async () => {
  writeFileSync(join(folder, "file"), "");
  const opening = openFeatureCache(join(folder, "file"), { madeBy: "", length: 5, mostBytes: 1, onNotice });
  await expect(opening).rejects.toMatchObject({ code: "disk" });
});
