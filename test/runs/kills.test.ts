/**
 * A trainer that is killed at random moments, most of them while it saves: the folder can always be resumed, at the last
 * step that was said to be saved or a later one. `OPENFLAMINGO_RUN_KILLS=200` for the long form; 15 every day.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import ts from "typescript";
import { expect } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { openRun } from "../../src/runs/runFolder.node.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { slowTest } from "../slow.js";
import { read, stateOf } from "./runs.js";

const kills = Number(process.env.OPENFLAMINGO_RUN_KILLS ?? 15);

/** The trainer as JavaScript over the built package, which starts in a fifth of the time. @returns its path */
function buildTrainer(): string {
  const folder = temporaryFolder();
  const dist = new URL("../../dist/", import.meta.url).href;
  for (const name of ["saveForever", "runs"]) {
    const source = readFileSync(new URL(`${name}.ts`, import.meta.url), "utf8");
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const linked = outputText.replaceAll('"../../src/', `"${dist}`).replaceAll('"./runs.js"', '"./runs.mjs"');
    writeFileSync(join(folder, `${name}.mjs`), linked);
  }
  return join(folder, "saveForever.mjs");
}
const random = randomStream(20, "moments of killing");

/**
 * Starts the trainer and kills it so long after it has said that it saved so many steps: most often while it saves the
 * next one.
 *
 * @returns what it said
 */
async function killAfter(
  program: string,
  folder: string,
  saves: number,
  milliseconds: number,
): Promise<string> {
  const child = spawn(process.execPath, [program, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  const reached = new Promise<void>((resolve) => {
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.includes("resumed") && text.split("saved").length > saves) resolve();
    });
    child.once("close", () => resolve());
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await reached;
  await wait(milliseconds);
  child.kill("SIGKILL");
  await ended;
  return text;
}

slowTest(
  `${kills} kills: always resumed, nothing lost that was saved`,
  async () => {
    const program = buildTrainer();
    const folder = join(temporaryFolder(), "run");
    let saved = 0; // the last step that is known to be saved
    let unfinished = 0;
    let least = 0;
    for (let i = 0; i < kills; i++) {
      const saves = Math.floor(3 * random.uniform(i, 1));
      least += saves;
      const text = await killAfter(program, folder, saves, 40 * random.uniform(i));
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
    expect(saved).toBeGreaterThanOrEqual(least);
    expect(least).toBeGreaterThan(0);
  },
  30_000 + 5000 * kills,
);
