/**
 * What do float16s cost a number, in processor time: to be rounded to and written, and to be read? Beside bfloat16s,
 * and beside a look-up in a table of all float16s.
 *
 *     npx tsx bench/float16.ts
 */
import { halfToFloat } from "../src/base/dtypes.js";
import { roundToHalf, toHalves } from "../src/base/float16.js";
import { areFinite, toFloat32 } from "../src/base/float32.js";
import { reportMachine } from "./measure.js";

const count = 2 ** 24;
const numbers = Float32Array.from({ length: count }, () => 0.04 * (Math.random() + Math.random() - 1));
const into = new Float32Array(count);
let halves = new Uint16Array(count);
const table = Float32Array.from({ length: 65536 }, (_, bits) => halfToFloat(bits));

function report(what: string, work: () => unknown): void {
  const times = Array.from({ length: 6 }, () => {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    return user + system;
  });
  console.log(`${what}: ${((1000 * Math.min(...times.slice(1))) / count).toFixed(2)} ns`);
}

reportMachine();
report("rounded, with a copy", () => {
  into.set(numbers);
  roundToHalf(into);
});
report("to 16 bits", () => {
  halves = toHalves(into);
});
report("float16 to float32", () => toFloat32(new Uint8Array(halves.buffer), "float16", into));
report("bfloat16 to float32", () => toFloat32(new Uint8Array(halves.buffer), "bfloat16", into));
report("float16 to float32, by the table", () => {
  for (let i = 0; i < count; i++) into[i] = table[halves[i]!]!;
  areFinite(into);
});
