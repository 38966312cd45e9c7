/**
 * Every tensor of the golden checkpoints: `checkpoints/tensors.json`. The expected hashes were made with Python's own pickle, zipfile and
 * numpy: the first 16 digits of SHA-256 over, sorted by name, "<name> [<shape>]\n" and the values as float32.
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { elementCount } from "../../src/base/dtypes.js";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { atHand, golden, goldenTest } from "../goldens.js";
import { compared } from "../parity.js";
import { read } from "./fixtures.js";

interface Expected {
  readonly tensors: number;
  readonly sha256: string;
  /** Tensors that lie in their storage in an order of their own. */
  readonly views?: Readonly<
    Record<string, { dtype: string; shape: readonly number[]; first: readonly number[]; last: number }>
  >;
}

const list = "checkpoints/tensors.json";
const files = atHand([list], (path) => [path], "every tensor of the checkpoints").flatMap((path) =>
  Object.entries(JSON.parse(readFileSync(golden(path), "utf8")) as Record<string, Expected>),
);

for (const [path, { tensors, sha256 }] of files) {
  goldenTest(path, `${path}: every tensor has the values that Python reads`, async () => {
    await using checkpoint = await openCheckpoint(golden(path));
    expect(checkpoint.tensors.size).toBe(tensors);
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
    expect(sha.digest("hex").slice(0, 16)).toBe(sha256);
  });
}

for (const [path, { views }] of files) {
  if (!views) continue;
  goldenTest(
    path,
    `${path}: transposed views and slices of a storage are read in their own order`,
    async () => {
      await using checkpoint = await openCheckpoint(golden(path));
      for (const [name, { dtype, shape, first, last }] of Object.entries(views)) {
        expect(checkpoint.tensors.get(name), name).toMatchObject({ shape, dtype });
        const values = await read(checkpoint, name);
        expect(values.slice(0, first.length), name).toEqual(first);
        expect(values.at(-1), name).toBe(last);
      }
    },
  );
}

const openAi = "checkpoints/openai-clip-tiny";
goldenTest(`${openAi}.pt`, "a TorchScript archive has the names, shapes and types of its list", async () => {
  await using checkpoint = await openCheckpoint(golden(`${openAi}.pt`));
  const list: Record<string, unknown> = JSON.parse(readFileSync(golden(`${openAi}.json`), "utf8")).tensors;
  compared(`checkpoints/names, shapes and types/${openAi}.pt`, { cases: 1, values: checkpoint.tensors.size });
  const found = [...checkpoint.tensors].map(([name, { shape, dtype }]) => [name, [shape, dtype]]);
  expect(Object.fromEntries(found)).toEqual(list);
});
