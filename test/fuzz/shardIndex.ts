/** The indexes of folders of shards. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { bytes } from "../checkpoints/assemble.js";
import { hostileIndexes, shards } from "../hostile/indexes.js";
import { latin1, limits } from "./checkpoint.js";
import { otherJson } from "./json.js";
import type { FuzzKind } from "./kind.js";

const index = (map: object) => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });
const [first, second] = Object.keys(shards);
const seeds = [
  index({ a: first, b: second }),
  index({ b: second }),
  ...hostileIndexes.map((row) => row.bytes).filter((text) => text.length < 1000),
].map(bytes);
const words = [
  "a",
  "b",
  "weight_map",
  first!,
  second!,
  "..",
  "../x",
  "/",
  "./1.safetensors",
  "link",
  "folder",
  "\u001b[31m",
];

let folder: string | undefined;

export const shardIndexKind: FuzzKind = {
  name: "shardIndex",
  seeds: () => seeds,
  mutate: (random, seed) => Buffer.from(otherJson(random, latin1(seed), words)),
  async run(input, signal) {
    if (folder === undefined) {
      folder = mkdtempSync(join(tmpdir(), "openflamingo-fuzz-"));
      for (const [name, file] of Object.entries(shards)) writeFileSync(join(folder, name), file, "latin1");
      mkdirSync(join(folder, "folder"));
      symlinkSync(tmpdir(), join(folder, "link"));
    }
    writeFileSync(join(folder, "model.safetensors.index.json"), input);
    await using checkpoint = await openCheckpoint(folder, { limits, signal });
    for (const name of checkpoint.tensors.keys())
      await checkpoint.read(name, new Float32Array(1), { signal });
  },
  close() {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  },
};
