/** Memory for weights that stay: tensors lie beside each other, each on its own. */
import { expect, test } from "vitest";
import { allocate, sharedMemory } from "../../src/weights/weightMemory.js";

test("tensors share buffers, begin at whole lines of the cache, and do not overlap", () => {
  const lengths = [5, 16, 1, 0, 100, 17];
  const memory = sharedMemory(lengths.reduce((sum, length) => sum + length, 0));
  const tensors = lengths.map((length, i) => memory("w", length).fill(i + 1));
  expect(new Set(tensors.map(({ buffer }) => buffer)).size).toBeLessThan(lengths.length);
  for (const [i, tensor] of tensors.entries()) {
    expect(tensor.byteOffset % 64).toBe(0);
    expect([...tensor]).toEqual(Array(lengths[i]).fill(i + 1));
  }
});

test("a tensor larger than a buffer has its own, and no buffer is larger than what is asked for", () => {
  const large = 2 ** 26 + 1;
  const memory = sharedMemory(large + 10);
  expect(memory("small", 10).buffer.byteLength).toBeLessThanOrEqual(2 ** 28);
  expect(memory("large", large).length).toBe(large);
  expect(sharedMemory(10)("all", 10).buffer.byteLength).toBe(64);
});

test("no room is reported with the tensor's name and size", () => {
  expect(() => allocate("w", 2 ** 50)).toThrow(`no room for w: ${2 ** 52} bytes`);
});
