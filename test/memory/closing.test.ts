/** What `close()` gives back, measured with weights that are large beside all else. */
import { expect } from "vitest";
import { openOrtBinding } from "../../src/runtime/ortBinding.node.js";
import { openOrtFfi } from "../../src/runtime/ortFfi.node.js";
import { chain, floats } from "../runtime/programs.js";
import { slowTest } from "../slow.js";

const width = 4000;
const weights = (4 * width * width) / 1e6; // 64 MB

/** Megabytes of the process and of JavaScript's buffers, once garbage is collected. */
async function memory(): Promise<{ resident: number; external: number }> {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc!();
  }
  const { rss, external } = process.memoryUsage();
  return { resident: rss / 1e6, external: external / 1e6 };
}

for (const [backend, open] of [
  ["ort.ffi", () => openOrtFfi()],
  ["ort.binding", openOrtBinding],
] as const) {
  for (const prepack of [false, true]) {
    slowTest(
      `${backend}${prepack ? ", prepacked" : ""}: weights' memory is given back, also where the closed session is kept`,
      async () => {
        const x = floats([1, width], () => 1);
        await (await open()).close(); // libraries, once loaded, stay
        const start = await memory();
        const runtime = await open();
        const session = await runtime.load(
          chain(1, width, () => 1),
          { prepack },
        );
        await session.run({ x });
        const loaded = await memory();
        await session.close();
        const closed = await memory();
        await runtime.close();
        const ended = await memory();
        await expect(session.run({ x })).rejects.toMatchObject({ code: "closed" }); // it is referenced up to here
        const shown = [start, loaded, closed, ended].map(({ resident }) => resident.toFixed(0)).join(", ");
        console.log(
          `${backend}, prepack ${prepack}: ${shown} MB at the start, loaded, closed, with its runtime closed`,
        );
        expect(loaded.external - start.external).toBeGreaterThan(0.95 * weights);
        expect(closed.external - start.external).toBeLessThan(1);
        expect(loaded.resident - closed.resident).toBeGreaterThan(0.9 * weights);
        expect(ended.resident - start.resident).toBeLessThan(0.3 * weights);
      },
    );
  }
}
