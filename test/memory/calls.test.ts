/**
 * What calls leave in memory: nothing. 25 calls of each kind here; `bench/memory.ts` makes 500. What a call's results
 * hold is outside of JavaScript's heap: on `ort.binding` 0.8 MB a caption, if it were kept.
 */
import { describe, expect, test } from "vitest";
import { randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import { memoryUse } from "./use.js";

const calls = 25;

describe.each(["ort.ffi", "ort.binding"] as const)("on %s", (backend) => {
  const use = memoryUse({ backend, model: randomModelFolder, calls });

  slowTest.each(["caption", "generate", "beams", "rank", "abort"])(
    `memory after ${calls} calls of %s is what it was`,
    async (kind) => {
      const { before, after } = (await use).kinds[kind]!;
      const grown = { heap: after.heap - before.heap, external: after.external - before.external };
      console.log(
        `${backend}, ${calls} × ${kind}: ${grown.external.toFixed(2)} MB outside of the heap, ${grown.heap.toFixed(2)} MB in it`,
      );
      expect(grown.external).toBeLessThan(0.5);
      expect(grown.heap).toBeLessThan(1);
    },
  );

  slowTest("the memory of the process stays what it was", async () => {
    const { kinds } = await use;
    const grown = kinds.abort!.after.resident - kinds.caption!.before.resident;
    console.log(`${backend}: ${grown.toFixed(0)} MB more resident after ${5 * calls} calls`);
    expect(grown).toBeLessThan(75);
  });

  test("a closed model that is still referenced holds no weights and no results", async () => {
    const { start, loaded, closed } = await use;
    const megabytes = [start, loaded, closed].map(({ external }) => external.toFixed(2));
    console.log(`${backend}: ${megabytes.join(", ")} MB outside of the heap at the start, loaded, closed`);
    expect(loaded.external - start.external).toBeGreaterThan(4); // 4.8 MB of weights
    expect(closed.external - start.external).toBeLessThan(0.5);
  });
});
