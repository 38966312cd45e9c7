/**
 * A trainer that is killed at random moments, most of them while it saves: the folder can always be resumed, at the last
 * step that was said to be saved or a later one. `OPENFLAMINGO_RUN_KILLS=200` for the long form; 15 every day.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { openRun } from "../../src/train/runFolder.node.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { read, stateOf } from "./runs.js";

const kills = Number(process.env.OPENFLAMINGO_RUN_KILLS ?? 15);
const program = fileURLToPath(new URL("saveForever.ts", import.meta.url));
const random = randomStream(20, "moments of killing");

/** Starts the trainer and kills it so long after it has begun to save. @returns what it said */
async function killAfter(folder: string, milliseconds: number): Promise<string> {
  const child = spawn(process.execPath, ["--import", "tsx", program, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const begun = new Promise<void>((resolve) => {
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.includes("resumed")) resolve();
    });
    child.once("close", () => resolve());
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await begun;
  await wait(milliseconds);
  child.kill("SIGKILL");
  await ended;
  return text;
}

test(
  `${kills} kills: always resumed, nothing lost that was saved`,
  async () => {
    const folder = join(temporaryFolder(), "run");
    let saved = 0;
    let unfinished = 0;
    for (let i = 0; i < kills; i++) {
      const text = await killAfter(folder, 120 * random.uniform(i));
      expect(text).not.toMatch(/wrong|notice/);
      const last = Math.max(saved, ...[...text.matchAll(/saved (\d+)/g)].map(([, step]) => Number(step)));
      if (i % 3 === 2) continue; // killed again before anything looks at the folder
      const run = await openRun(folder);
      const step = run.latest?.step ?? 0;
      expect(step).toBeGreaterThanOrEqual(last);
      if (run.latest) expect(await read(run.latest)).toEqual(stateOf(step));
      // The log is that of a run left alone.
      const lines = readFileSync(join(folder, "log.jsonl"), "utf8");
      expect(lines).toBe(
        Array.from(
          { length: step },
          (_, n) => `${JSON.stringify({ step: n + 1, loss: 1 / (n + 1) })}\n`,
        ).join(""),
      );
      await run.close();
      if (step > last) unfinished++;
      saved = step;
    }
    console.log(
      `${kills} kills, ${saved} steps saved; ${unfinished} between a checkpoint and the word of it`,
    );
    expect(saved).toBeGreaterThan(kills);
  },
  30_000 + 5000 * kills,
);
