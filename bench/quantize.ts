/**
 * How long does it take to bring a matrix into blocks, on one thread and on all cores?
 *
 *     npx tsx bench/quantize.ts
 */
import { openKernelThreads } from "../src/weights/kernelThreads.node.js";
import { quantizeMatrix } from "../src/weights/quantize.js";
import { reportMachine } from "./measure.js";

const [n, k] = [4096, 4096];
/** Sums of three even numbers: near enough to normal ones. */
const matrix = Float32Array.from(
  { length: n * k },
  () => Math.random() + Math.random() + Math.random() - 1.5,
);

reportMachine();
await using all = openKernelThreads();
for (const bits of [4, 8] as const) {
  for (const block of [128, 32]) {
    for (const [where, pool] of [["one thread", undefined] as const, ["all cores", all] as const]) {
      const times: number[] = [];
      for (let i = 0; i < 6; i++) {
        const start = performance.now();
        await quantizeMatrix(matrix, [n, k], { bits, block }, { pool });
        times.push(performance.now() - start);
      }
      const best = Math.min(...times.slice(1));
      const each = ((1e6 * best) / matrix.length).toFixed(2);
      console.log(`${bits} bits, blocks of ${block}, ${where}: ${each} ns a number (${best.toFixed(0)} ms)`);
    }
  }
}
