import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { readTestSets } from "../../../../recipes/tiny/evaluate/testSets.node.js";

const folder = await mkdtemp(join(tmpdir(), "openflamingo-test-sets-"));
afterAll(() => rm(folder, { recursive: true }));
const cache = join(folder, "cache");

test("test images alone are read, never those of training; what is not there is named", async () => {
  await mkdir(join(folder, "cifar10"));
  const packed = async (background: string) => {
    const file = await sharp({ create: { width: 32, height: 32, channels: 3, background } })
      .jpeg()
      .toBuffer();
    return brotliCompressSync(Buffer.concat([Buffer.from([0, file.length & 255, file.length >> 8]), file]));
  };
  await writeFile(join(folder, "cifar10", "meta.json"), JSON.stringify({ classes: ["ship"] }));
  await writeFile(join(folder, "cifar10", "train.pack.br"), await packed("red"));
  await writeFile(join(folder, "cifar10", "test.pack.br"), await packed("blue"));
  await mkdir(join(folder, "omniglot"));
  for (const [set, alphabet] of [
    ["background", "Greek"],
    ["evaluation", "Futurama"],
  ]) {
    const described = { width: 8, height: 8, row_bytes: 1, image_bytes: 8, drawers: 1 };
    const text = JSON.stringify({ ...described, classes: [[alphabet, 1, 1]] });
    await writeFile(join(folder, "omniglot", `${set}.json`), text);
    await writeFile(join(folder, "omniglot", `${set}.bin.gz`), gzipSync(Buffer.alloc(8)));
  }

  const { sets, missing } = await readTestSets(folder, { isWanted: () => true, cache });
  expect(missing).toEqual(["tinyimagenet"]);
  expect(sets.cifar10.map(({ kind, pixels }) => [kind, pixels[0]! < 10, pixels[2]! > 240])).toEqual([
    ["ship", true, true],
  ]);
  expect(sets.omniglot.map(({ alphabet }) => alphabet)).toEqual(["Futurama"]);

  const some = await readTestSets(folder, { isWanted: (name) => name === "omniglot", cache });
  expect([some.sets.cifar10, some.sets.omniglot.length, some.missing]).toEqual([[], 1, []]);
  expect((await readTestSets(undefined, { isWanted: () => true })).missing.length).toBe(3);
});
