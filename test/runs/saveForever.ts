/**
 * Goes on with a run, or begins it, and saves a checkpoint after each step, to be killed: the folder is the argument. It
 * writes the number of each step that is saved.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createRun, openRun } from "../../src/runs/runFolder.node.js";
import { read, stateOf } from "./runs.js";

const [folder = ""] = process.argv.slice(2);
const run = existsSync(join(folder, "run.json"))
  ? await openRun(folder, { onNotice: (text) => process.stdout.write(`notice ${text}\n`) })
  : await createRun(folder, { settings: { seed: 1 } });
let step = 0;
if (run.latest) {
  step = run.latest.step;
  const [found, expected] = [await read(run.latest), stateOf(step)];
  const isSame = Buffer.from(JSON.stringify([...found.expAvg].map(([, { data }]) => [...data]))).equals(
    Buffer.from(JSON.stringify([...expected.expAvg].map(([, { data }]) => [...data]))),
  );
  if (!isSame) process.stdout.write(`wrong ${step}\n`);
}
process.stdout.write(`resumed ${step}\n`);
for (;;) {
  step++;
  await run.log(step, { loss: 1 / step });
  await run.save(stateOf(step), { keep: 1 });
  process.stdout.write(`saved ${step}\n`);
}
