import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import sharp from "sharp";
import { create } from "tar";
import { afterAll, expect, test } from "vitest";
import {
  captioned,
  cifar10,
  omniglot,
  tinyImageNet,
} from "../../../../recipes/tiny/world/photographs.node.js";

const folder = await mkdtemp(join(tmpdir(), "openflamingo-photographs-"));
afterAll(() => rm(folder, { recursive: true }));
const cache = join(folder, "cache");
const inFolder = async (name: string) => {
  await mkdir(join(folder, name), { recursive: true });
  return join(folder, name);
};

const jpeg = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 3, background } })
    .jpeg()
    .toBuffer();
const side = 64;
const middle = (pixels: Uint8Array) => [...pixels.subarray(3 * (side * 32 + 32), 3 * (side * 32 + 32) + 3)];
const near = (colour: number[], wanted: number[]) =>
  colour.every((value, i) => Math.abs(value - wanted[i]!) < 8);

test("Tiny ImageNet: the archive's images with the names of their kinds", async () => {
  const at = await inFolder("tiny");
  const files = {
    "000000.jpg": await jpeg(64, 64, "red"),
    "000000.cls": "1",
    "000001.jpg": await jpeg(64, 64, "blue"),
    "000001.cls": "0",
  };
  for (const [name, data] of Object.entries(files)) await writeFile(join(at, name), data);
  await create({ file: join(at, "val.tar"), cwd: at }, Object.keys(files));
  await writeFile(
    join(at, "classes.json"),
    JSON.stringify([{ names: ["Tabby", "tabby cat"] }, { names: ["iPod"] }]),
  );
  const found = await tinyImageNet(at, "test", { cache });
  expect(found.map(({ kind, names }) => [kind, names])).toEqual([
    ["ipod", ["ipod"]],
    ["tabby cat", ["tabby cat", "tabby"]],
  ]);
  expect(found.map(({ pixels }) => pixels.length)).toEqual([3 * side * side, 3 * side * side]);
  expect(near(middle(found[0]!.pixels), [255, 0, 0])).toBe(true);
  expect(near(middle(found[1]!.pixels), [0, 0, 255])).toBe(true);
  expect(await tinyImageNet(at, "train", { cache })).toEqual([]);
});

test("CIFAR-10: records of a label and a JPEG file, scaled up", async () => {
  const at = await inFolder("cifar");
  const record = (label: number, file: Buffer) =>
    Buffer.concat([Buffer.from([label, file.length & 255, file.length >> 8]), file]);
  const pack = [record(1, await jpeg(32, 32, "lime")), record(0, await jpeg(32, 32, "red"))];
  await writeFile(join(at, "train.pack.br"), brotliCompressSync(Buffer.concat(pack)));
  await writeFile(join(at, "meta.json"), JSON.stringify({ classes: ["airplane", "automobile"] }));
  let told = 0;
  const options = { cache, progress: () => told++ };
  const found = await cifar10(at, "train", options);
  expect(found.map(({ kind }) => kind)).toEqual(["car", "airplane"]);
  expect(near(middle(found[0]!.pixels), [0, 255, 0])).toBe(true);
  expect(await cifar10(at, "train", options)).toEqual(found);
  expect(told).toBe(2);
});

test("Omniglot: one bit a pixel becomes black on white, the ink as much as it was", async () => {
  const at = await inFolder("omniglot");
  const [width, height, rowBytes] = [105, 105, 14];
  const bytes = rowBytes * height;
  const bits = Buffer.alloc(2 * bytes);
  // The second drawing: 40 rows of 80 pixels of ink from the left edge, from row 20 on.
  for (let y = 20; y < 60; y++) bits.fill(0xff, bytes + rowBytes * y, bytes + rowBytes * y + 10);
  const described = {
    width,
    height,
    row_bytes: rowBytes,
    image_bytes: bytes,
    drawers: 2,
    classes: [["Greek", 3, 12]],
  };
  await writeFile(join(at, "evaluation.bin.gz"), gzipSync(bits));
  await writeFile(join(at, "evaluation.json"), JSON.stringify(described));
  const found = await omniglot(at, "evaluation");
  expect(found.map(({ kind, alphabet, drawer }) => [kind, alphabet, drawer])).toEqual([
    ["Greek 3", "Greek", 0],
    ["Greek 3", "Greek", 1],
  ]);
  expect(found[0]!.pixels.every((value) => value === 255)).toBe(true);
  const ink = found[1]!.pixels.reduce((sum, value) => sum + 1 - value / 255, 0) / 3;
  expect(Math.abs(ink / (80 * 40 * (side / 105) ** 2) - 1)).toBeLessThan(0.01);
  expect([...found[1]!.pixels.subarray(3 * side * 20, 3 * side * 20 + 3)]).toEqual([0, 0, 0]);
  expect([...found[1]!.pixels.subarray(3 * side * 50, 3 * side * 50 + 3)]).toEqual([255, 255, 255]);
});

test("any folder with captions, whose images may lie in one of their own, of any shape", async () => {
  const at = await inFolder("captioned");
  await mkdir(join(at, "images"));
  await writeFile(join(at, "a.jpg"), await jpeg(100, 50, "red"));
  await writeFile(join(at, "images", "b.jpg"), await jpeg(50, 100, "blue"));
  await writeFile(
    join(at, "captions.json"),
    JSON.stringify({
      images: [
        { id: 5, file_name: "a.jpg" },
        { id: 6, file_name: "lost.jpg" },
        { id: 7, file_name: "b.jpg", split: "test" },
      ],
      annotations: [
        { image_id: 7, caption: "blue" },
        { image_id: 5, caption: "red" },
        { image_id: 5, caption: "very red" },
      ],
    }),
  );
  const found = await captioned(at, { cache });
  expect(found.map(({ captions, split }) => [captions, split])).toEqual([
    [["red", "very red"], undefined],
    [["blue"], "test"],
  ]);
  expect(near(middle(found[1]!.pixels), [0, 0, 255])).toBe(true);
});

test("where there is no such folder, there are none", async () => {
  const nowhere = join(folder, "nowhere");
  expect(await tinyImageNet(nowhere, "train", { cache })).toEqual([]);
  expect(await cifar10(nowhere, "test", { cache })).toEqual([]);
  expect(await omniglot(nowhere, "background")).toEqual([]);
  expect(await captioned(nowhere, { cache })).toEqual([]);
});
