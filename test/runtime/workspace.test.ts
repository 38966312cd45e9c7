/** What a session computes in: kept for the next run, or given back where a run asks for it. */
import { expect, test } from "vitest";
import { zeros } from "../../src/runtime/hostTensor.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { chain, numbers } from "./programs.js";

const megabytesResident = (): number => {
  globalThis.gc!();
  return process.memoryUsage.rss() / 1e6;
};

test("the memory of a run is given back where it asks for that, and the next run is right", async () => {
  await using runtime = await openOrtFfi();
  await using session = await runtime.load(chain(3, 16, () => 1));
  const [x, y] = [zeros("float32", [2 ** 20, 16]), zeros("float32", [2 ** 20, 16])]; // 67 MB each
  x.data.fill(1);
  y.data.fill(1);
  const one = { ...x, shape: [1, 16], data: x.data.subarray(0, 16) };
  await session.run({ x: one }); // what the first run takes is never given back
  const before = megabytesResident();
  await session.run({ x }, { outputs: { y } });
  const kept = megabytesResident();
  await session.run({ x }, { outputs: { y }, releaseWorkspace: true });
  const given = megabytesResident();
  expect(kept - before).toBeGreaterThan(60);
  expect(given - before).toBeLessThan(20);
  const small = await session.run({ x: one });
  expect(numbers(small.y)).toEqual(Array(16).fill(16 ** 3));
});
