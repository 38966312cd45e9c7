/** Kernels are lent to one user at a time, also after one that failed. */
import { expect, test } from "vitest";
import { createMemory } from "../../src/base/wasm.js";
import { type Kernel, poolOf } from "../../src/weights/kernelPool.js";

test("no kernel is used by two, whenever they ask", async () => {
  const kernels = [1, 2].map((): Kernel => {
    return { memory: createMemory({ pages: 1, shared: false }), run: async () => {} };
  });
  const pool = poolOf(kernels);
  const used = new Set<Kernel>();
  let most = 0;
  const use = (fails: boolean) =>
    pool.use(async (kernel) => {
      expect(used.has(kernel)).toBe(false);
      used.add(kernel);
      most = Math.max(most, used.size);
      await new Promise(setImmediate);
      used.delete(kernel);
      if (fails) throw new Error("failed");
    });
  const outcomes: Promise<string>[] = []; // handled at once: some fail while others are still asked for
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 3; i++) outcomes.push(use(i === 1).then(() => "done", String));
    await new Promise(setImmediate);
  }
  expect(await Promise.all(outcomes)).toEqual(
    outcomes.map((_, i) => (i % 3 === 1 ? "Error: failed" : "done")),
  );
  expect(most).toBe(2);
});
