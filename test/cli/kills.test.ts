/**
 * A command that writes a file is killed at random moments: the old file or the new one is there, whole, and never a
 * third thing. `OPENFLAMINGO_KILLS=200` sets how often; docs/reliability.md has the figures of a long run.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { golden } from "../goldens.js";
import { slowTest } from "../slow.js";
import { tensorsOf } from "../tensors.js";
import { run } from "./run.js";

const kills = Number(process.env.OPENFLAMINGO_KILLS ?? 4);
const seed = 1;
const folder = mkdtempSync(join(tmpdir(), "kills-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Runs a script and kills it after some milliseconds, unless it has ended by then. */
function killed(args: readonly string[], after: number): Promise<"killed" | "ended"> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const timer = setTimeout(() => child.kill("SIGKILL"), after);
    child.once("close", (_, signal) => {
      clearTimeout(timer);
      resolve(signal === "SIGKILL" ? "killed" : "ended");
    });
  });
}

slowTest(`embed --output, killed ${kills} times over its whole run`, async () => {
  const file = join(folder, "features.safetensors");
  const images = [golden("photos/rocket.jpg"), golden("photos/chelsea.png")];
  const args = (image: string) => [main, "embed", "--quiet", "--output", file, image];
  const contents = new Map<string, Buffer>();
  let longest = 0;
  for (const image of images) {
    const start = performance.now();
    expect((await run(args(image).slice(1))).code).toBe(0);
    longest = Math.max(longest, performance.now() - start);
    contents.set(image, readFileSync(file));
  }
  const random = randomStream(seed, "kills");
  const seen = { killed: 0, old: 0, new: 0, ended: 0 };
  // A run that has ended before its kill came is none of them.
  for (let i = 0; seen.killed < kills && i < 10 * kills; i++) {
    const before = readFileSync(file);
    const image = images[i % 2]!;
    // Half of them near the end, where the file is written.
    const share = i % 4 < 2 ? random.uniform(i) : 0.8 + 0.2 * random.uniform(i);
    const how = await killed(args(image), share * longest);
    seen[how]++;
    const after = readFileSync(file);
    const isOld = after.equals(before);
    expect(isOld || after.equals(contents.get(image)!)).toBe(true);
    if (how === "killed") seen[isOld ? "old" : "new"]++;
  }
  console.log(`embed --output: seed ${seed}: ${JSON.stringify(seen)}`);
  expect(seen.killed).toBe(kills);
});

slowTest(`the writing itself, killed ${kills} times`, async () => {
  const file = join(folder, "values.safetensors");
  // Writes files of one value, 16 MiB each, one after the other.
  const script = join(folder, "write.mjs");
  const writer = fileURLToPath(new URL("../../dist/checkpoints/writeSafetensors.node.js", import.meta.url));
  writeFileSync(
    script,
    `import { writeSafetensors } from ${JSON.stringify(writer)};
     for (let value = Number(process.argv[2]); ; value++) {
       const data = new Float32Array(2 ** 22).fill(value);
       await writeSafetensors(${JSON.stringify(file)}, new Map([["values", { shape: [2 ** 22], data }]]));
     }`,
  );
  const random = randomStream(seed, "kills of the writing");
  let whole = 0;
  for (let i = 0; i < kills; i++) {
    expect(await killed([script, String(i * 1000)], 60 + random.uniform(i) * 500)).toBe("killed");
    if (!existsSync(file)) continue; // killed before the first was finished
    const { data } = (await tensorsOf(file)).get("values")!;
    expect(data.length).toBe(2 ** 22);
    expect(data.every((value) => value === data[0])).toBe(true);
    whole++;
  }
  console.log(`writing: ${kills} kills of seed ${seed}, ${whole} times a file was there, each whole`);
  expect(whole).toBeGreaterThan(0);
  // The next writer removes what killed ones left; the last one's remains.
  expect(readdirSync(folder).filter((name) => name.includes("unfinished")).length).toBeLessThanOrEqual(1);
});
