/**
 * The short recipe, run twice with the same seed, the second time killed again and again on its way: both give the same
 * losses and the same model, byte for byte. Exit code 1 where they do not, or where it could not be killed as often.
 *
 *     npx tsx recipes/tiny/twice.ts [--kills 10]
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { randomStream } from "../../src/base/random.js";
import { openSprites } from "./world/sprites.node.js";
import { loadThings } from "./world/things.node.js";

const { values: given } = parseArgs({ options: { kills: { type: "string", default: "10" } } });
const recipe = fileURLToPath(new URL("recipe.ts", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "openflamingo-recipe-"));

/** @returns whether it came to its end; otherwise it was killed behind so many milliseconds */
function run(folder: string, killedAfter?: number): Promise<boolean> {
  const child = spawn(process.execPath, ["--import", "tsx", recipe, folder, "--short"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const timer = killedAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killedAfter);
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0 || signal === "SIGKILL") resolve(code === 0);
      else reject(new Error(`the recipe ended with ${code ?? signal}`));
    });
  });
}

/** The hash of every file of the model. */
function hashesOf(folder: string): string[] {
  return readdirSync(join(folder, "model"), { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, "model", name)).isFile())
    .sort()
    .map(
      (name) =>
        `${createHash("sha256")
          .update(readFileSync(join(folder, "model", name)))
          .digest("hex")} ${name}`,
    );
}

/** Losses by stage and step. */
function lossesOf(folder: string): string[] {
  const stages = readdirSync(join(folder, "work")).sort();
  return stages.flatMap((stage) => {
    const log = join(folder, "work", stage, "log.jsonl");
    if (!existsSync(log)) return [];
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    return lines.flatMap((line) => {
      const values = Object.entries(JSON.parse(line) as Record<string, number>);
      const losses = values.filter(
        ([name]) => name === "step" || /^loss|contrastive|classification/.test(name),
      );
      return losses.length > 1 ? [`${stage} ${JSON.stringify(Object.fromEntries(losses))}`] : [];
    });
  });
}

const [alone, killed] = [join(place, "alone"), join(place, "killed")];
await openSprites(await loadThings()); // rendered once, which is not to count
const began = performance.now();
await run(alone);
const whole = performance.now() - began;
const { uniform } = randomStream(1, "kills");
let kills = 0;
while (kills < Number(given.kills)) {
  // Long enough to be under way in most cases, and too short for all of them to come to the end.
  if (await run(killed, whole * (0.12 + 0.23 * uniform(kills)))) break;
  kills++;
}
await run(killed);
const [a, b] = [hashesOf(alone), hashesOf(killed)];
const isSameModel = a.length > 0 && a.join() === b.join();
const [first, second] = [lossesOf(alone), lossesOf(killed)];
const isSameLosses = first.length > 0 && first.join() === second.join();
console.log(
  `the short recipe in ${(whole / 1000).toFixed(0)} s, and killed ${kills} times: ${a.length} files of the model ` +
    `${isSameModel ? "are the same" : "DIFFER"}, ${first.length} lines of losses ${isSameLosses ? "are the same" : "DIFFER"}`,
);
if (!isSameModel) for (const line of b.filter((each) => !a.includes(each))) console.log(`  ${line}`);
if (!isSameLosses) {
  for (const [i, line] of second.entries()) {
    if (line !== first[i]) console.log(`  ${line}\n    where the other run has ${first[i]}`);
  }
}
const isKilled = kills === Number(given.kills);
if (!isKilled) console.log(`it came to its end before it was killed ${given.kills} times`);
if (!isSameModel || !isSameLosses || !isKilled) process.exitCode = 1;
if (isSameModel && isSameLosses) rmSync(place, { recursive: true });
else console.log(`both are left in ${place}`);
