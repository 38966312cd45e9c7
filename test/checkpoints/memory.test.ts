import { open } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/openCheckpoint.node.js";
import { bytes, safetensors, temporaryFolder } from "./fixtures.js";

const MiB = 2 ** 20;

for (const [dtype, width] of [
  ["F32", 4],
  ["BF16", 2],
] as const) {
  test(`a ${dtype} tensor of 200 MB is read with little memory beside its own`, async () => {
    const path = join(temporaryFolder(), "large.safetensors");
    const size = 200 * MiB;
    const head = bytes(safetensors({ w: { dtype, shape: [size / width], data_offsets: [0, size] } }));
    const file = await open(path, "w");
    await file.write(head);
    await file.truncate(head.length + size); // zeros that take no room on the disk
    await file.close();

    await using checkpoint = await openCheckpoint(path);
    const into = new Float32Array(size / width).fill(1); // touched, so that it is resident
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss);
    }, 1);
    const started = performance.now();
    await checkpoint.read("w", into);
    const seconds = (performance.now() - started) / 1000;
    clearInterval(watch);
    most = Math.max(most, process.memoryUsage().rss);
    const growth = Math.round((most - before) / MiB);
    console.log(`${dtype}: ${growth} MiB beside the tensor, ${Math.round(200 / seconds)} MB/s`);
    expect(into.every((value) => value === 0)).toBe(true);
    expect(growth).toBeLessThan(200);
  });
}
