/** Memory while loading; in a file of its own, as memory that other tests gave back would hide what is taken. */
import { expect, test } from "vitest";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { chain } from "./programs.js";

test("weights are in memory once, also while they are loaded", async () => {
  await using runtime = await openOrtFfi();
  const large = chain(1, 6000, () => 1); // 144 MB
  const resident = () => process.memoryUsage.rss() / 1e6;
  const before = resident();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, resident());
  }, 1);
  await using _ = await runtime.load(large);
  clearInterval(watch);
  console.log(
    `loading 144 MB of weights took ${(Math.max(most, resident()) - before).toFixed(0)} MB beside them`,
  );
  expect(Math.max(most, resident()) - before).toBeLessThan(72);
});
