/**
 * Does memory stay flat over 500 captions, generates, beam searches, rankings and aborts, and fall back after
 * `close()`? On both backends, with each tiny test model at hand.
 *
 *     npx tsx bench/memory.ts [CALLS [BACKEND]]
 */
import { goldenModel, hasGolden } from "../test/goldens.js";
import { type Memory, memoryUse } from "../test/memory/use.js";
import { reportMachine } from "./measure.js";

const [calls = "500", only] = process.argv.slice(2);
const backends = (["ort.ffi", "ort.binding"] as const).filter((name) => only === undefined || name === only);
const models = ["9b", "3b", "4b"]
  .map((size) => `tiny-openflamingo-${size}`)
  .filter((name) => hasGolden(`${name}/openflamingo.json`));

const row = (what: string, { resident, heap, external }: Memory, note = "") => {
  const columns = [resident, heap, external].map((megabytes) => megabytes.toFixed(1).padStart(9));
  console.log(`${what.padEnd(26)}${columns.join("")}  ${note}`);
};

reportMachine();
for (const backend of backends) {
  for (const name of models) {
    const use = await memoryUse({ backend, model: goldenModel(name), calls: Number(calls) });
    console.log(`\n${backend}, ${name}; MB: resident, JavaScript's heap, outside of it`);
    row("used and closed once", use.start);
    row("loaded", use.loaded);
    for (const [kind, { before, after, milliseconds }] of Object.entries(use.kinds)) {
      row(`${kind}: before`, before);
      row(`${kind}: after ${calls}`, after, `${milliseconds.toFixed(0)} ms each`);
    }
    row("closed", use.closed);
  }
}
