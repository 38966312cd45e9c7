/**
 * Every tensor of the golden checkpoints. The expected hashes were made with Python's own pickle, zipfile and
 * numpy: the first 16 digits of SHA-256 over, sorted by name, "<name> [<shape>]\n" and the values as float32.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { elementCount } from "../../src/base/dtypes.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { golden, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { read } from "./fixtures.js";

const files: [path: string, tensors: number, hash: string][] = [
  ["tiny-openflamingo-9b/checkpoint.pt", 92, "9c094e6cb3815516"],
  ["tiny-openflamingo-9b/clip/open_clip_pytorch_model.bin", 74, "af0ea9cf2c5fc87d"],
  ["tiny-openflamingo-9b/lang", 50, "c598e32d7450903e"],
  ["tiny-openflamingo-3b/checkpoint.pt", 103, "cfdeb133e915cc8e"],
  ["tiny-openflamingo-3b/clip/open_clip_pytorch_model.pt", 62, "83e500a9617a5f6b"],
  ["tiny-openflamingo-3b/lang", 26, "22b2f106d74493dc"],
  ["tiny-openflamingo-4b/checkpoint.pt", 97, "3cbc0a3f7b90280e"],
  ["tiny-openflamingo-4b/clip/open_clip_pytorch_model.pt", 62, "6be09e0cfd37d90c"],
  ["tiny-openflamingo-4b/lang", 64, "42e38a0095750784"],
  ["checkpoints/openai-clip-tiny.pt", 41, "d7f887972278a5cc"],
];

for (const [path, count, hash] of files) {
  goldenTest(path, `${path}: every tensor has the values that Python reads`, async () => {
    await using checkpoint = await openCheckpoint(golden(path));
    expect(checkpoint.tensors.size).toBe(count);
    const sha = createHash("sha256");
    let values = 0;
    for (const name of [...checkpoint.tensors.keys()].sort()) {
      const { shape } = checkpoint.tensors.get(name)!;
      const data = new Float32Array(elementCount(shape));
      await checkpoint.read(name, data);
      sha.update(`${name} [${shape}]\n`).update(new Uint8Array(data.buffer));
      values += data.length;
    }
    compared(`checkpoints/values/${path}`, { cases: 1, values });
    expect(sha.digest("hex").slice(0, 16)).toBe(hash);
  });
}

const clip4b = "tiny-openflamingo-4b/clip/open_clip_pytorch_model.pt";
goldenTest(clip4b, "a transposed view and a slice of a storage are read in their own order", async () => {
  await using checkpoint = await openCheckpoint(golden(clip4b));
  const projection = await read(checkpoint, "visual.proj"); // [32, 24], strides 1 and 32
  expect(checkpoint.tensors.get("visual.proj")).toMatchObject({ shape: [32, 24], dtype: "float32" });
  expect(projection.slice(0, 3)).toEqual([0.31774386763572693, -0.05872698500752449, 0.011281926184892654]);
  expect(projection.at(-1)).toBe(-0.12705345451831818);
  const positions = await read(checkpoint, "positional_embedding"); // [24, 24] from element 72 of 696
  expect(positions.slice(0, 2)).toEqual([-0.43607664108276367, -0.24727188050746918]);
  expect(positions.at(-1)).toBe(0.2219918817281723);
});

const openAi = "checkpoints/openai-clip-tiny";
goldenTest(`${openAi}.pt`, "a TorchScript archive has the names, shapes and types of its list", async () => {
  await using checkpoint = await openCheckpoint(golden(`${openAi}.pt`));
  const list: Record<string, unknown> = JSON.parse(readFileSync(golden(`${openAi}.json`), "utf8")).tensors;
  compared(`checkpoints/names, shapes and types/${openAi}.pt`, { cases: 1, values: checkpoint.tensors.size });
  const found = [...checkpoint.tensors].map(([name, { shape, dtype }]) => [name, [shape, dtype]]);
  expect(Object.fromEntries(found)).toEqual(list);
});
