/**
 * `openflamingo train` as a process: killed at random moments and begun again, it is the run that was left alone, bit for
 * bit; interrupted, it keeps what it reached. `OPENFLAMINGO_TRAIN_KILLS=50` sets how often it is killed.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { slowTest } from "../slow.js";
import { captionShards, stateOf, valuesOf } from "../train/trainerRuns.js";
import type { Finished } from "./run.js";

const kills = Number(process.env.OPENFLAMINGO_TRAIN_KILLS ?? 3);
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const steps = 24;
const newRun = () => join(temporaryFolder(), "run");

let shards: string;
const alone = newRun();
/** Seconds from the start of the program to the first step. */
let opening = 0;

const argsOf = (run: string): readonly string[] => [
  ...["train", "--run", run, "--laion-shards", shards, "--batch-size-laion", "2", "--workers", "1"],
  ...["--train-num-samples-laion", String(steps), "--num-epochs", "2", "--shuffle-samples", "5"],
  ...["--warmup-steps", "3", "--checkpoint-steps", "3", "--threads", "1", "--json"],
];

interface Ended extends Finished {
  readonly signal: NodeJS.Signals | null;
}

/**
 * Runs it; `onLine` is called with the number of lines so far, and may end the process; `kill` does so many milliseconds
 * after so many lines.
 */
function trainIn(
  run: string,
  {
    onLine,
    kill,
  }: {
    onLine?: (lines: number, end: (signal: NodeJS.Signals) => void) => void;
    kill?: { readonly lines: number; readonly wait: number };
  } = {},
  command: readonly string[] = [process.execPath, main],
): Promise<Ended> {
  return new Promise((resolve) => {
    const [program, ...first] = command as [string, ...string[]];
    const child = spawn(program, [...first, ...argsOf(run)], { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    let timer: NodeJS.Timeout | undefined;
    const reached = (lines: number) => {
      if (kill && lines >= kill.lines) timer ??= setTimeout(() => child.kill("SIGKILL"), kill.wait);
    };
    reached(0);
    child.stdout.on("data", (data) => {
      stdout += data;
      const lines = stdout.split("\n").length - 1;
      onLine?.(lines, (signal) => child.kill(signal));
      reached(lines);
    });
    child.stderr.on("data", (data) => (stderr += data));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr, signal });
    });
  });
}

/** A run that is over is that of one left alone: every line of the log but for times, and all bytes of the state. */
function expectSame(run: string): void {
  expect(valuesOf(run)).toEqual(valuesOf(alone));
  expect(stateOf(run, steps)).toEqual(stateOf(alone, steps));
}

beforeAll(async () => {
  shards = await captionShards(3, 4);
  const start = performance.now();
  const { code, stderr } = await trainIn(alone, {
    onLine: () => {
      opening ||= (performance.now() - start) / 1000;
    },
  });
  expect([code, stderr]).toEqual([0, ""]);
});

slowTest(
  `${kills} kills: always resumed, no checkpoint lost, and in the end the run that was left alone`,
  async () => {
    const random = randomStream(20, "kills of training");
    const seen = { kills: 0, whileOpening: 0, inARow: 0, runs: 0 };
    let run = newRun();
    let kept = 0;
    for (let i = 0; seen.kills < kills || existsSync(run); i++) {
      const isKilled = seen.kills < kills;
      // One in three while it is opened, which may be a kill right after a kill; the others a little behind some step.
      const lines = i % 3 === 2 ? 0 : 1 + Math.floor(9 * random.uniform(i, 1));
      const wait = 1000 * random.uniform(i) * (lines === 0 ? opening : 0.1);
      const { code, stdout, stderr, signal } = await trainIn(run, isKilled ? { kill: { lines, wait } } : {});
      const reached = stdout.split("\n").filter((line) => line !== "");
      if (signal === "SIGKILL") {
        seen.kills++;
        if (reached.length === 0) seen.whileOpening++;
        if (reached.length === 0 && kept > 0) seen.inARow++;
        const at = join(run, "checkpoints");
        const newest = existsSync(at)
          ? Math.max(
              0,
              ...readdirSync(at)
                .flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? [])
                .map(Number),
            )
          : 0;
        const said = reached.flatMap((line) => {
          try {
            const { step, checkpoint } = JSON.parse(line) as { step: number; checkpoint?: string };
            return checkpoint === undefined ? [] : [step];
          } catch {
            return []; // cut off by the kill
          }
        });
        expect(newest).toBeGreaterThanOrEqual(Math.max(kept, ...said));
        kept = newest;
        continue;
      }
      expect([code, stderr]).toEqual([0, kept > 0 ? `going on from step ${kept}\n` : ""]);
      expectSame(run);
      rmSync(run, { recursive: true });
      seen.runs++;
      kept = 0;
      if (seen.kills < kills) run = newRun();
    }
    console.log(`training: ${JSON.stringify(seen)}`);
    expect(seen.kills).toBe(kills);
  },
  60_000 + 15_000 * kills,
);

slowTest(
  "interrupted, it ends with 130 and a checkpoint of what it reached, says so, and goes on",
  async () => {
    const run = newRun();
    let isAsked = false;
    const { code, stdout, stderr } = await trainIn(run, {
      onLine: (lines, end) => {
        if (lines >= 4 && !isAsked) end("SIGINT");
        isAsked ||= lines >= 4;
      },
    });
    const reached = stdout.split("\n").length - 1;
    expect(code).toBe(130);
    expect(stderr).toBe(`stopped after step ${reached} of ${steps}: the same command goes on\n`);
    const newest = readdirSync(join(run, "checkpoints")).sort().at(-1)!;
    expect(Number(/\d+/.exec(newest)![0])).toBeGreaterThanOrEqual(reached);
    expect(existsSync(join(run, "lock"))).toBe(false);
    const again = await trainIn(run);
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/^going on from step \d+\n$/)]);
    expectSame(run);
  },
);

(process.platform === "win32" ? test.skip : slowTest)(
  "where files may not be as large as a checkpoint's, it ends with the disk's code, and goes on elsewhere as it was",
  async () => {
    const run = newRun();
    await trainIn(run, { onLine: (lines, end) => lines >= 7 && end("SIGKILL") });
    const before = readdirSync(join(run, "checkpoints"))
      .filter((name) => name.startsWith("step"))
      .sort()
      .at(-1)!;
    const limited = ["sh", "-c", 'ulimit -f 1500; exec "$@"', "sh", process.execPath, main];
    const { code, stderr } = await trainIn(run, {}, limited);
    expect(code).toBe(6);
    expect(JSON.parse(stderr.split("\n").at(-2)!)).toMatchObject({
      error: { code: "disk", message: expect.stringContaining("those before it are whole") },
    });
    const left = readdirSync(join(run, "checkpoints")).filter((name) => name.startsWith("step"));
    expect(left).toContain(before);
    expect((await trainIn(run)).code).toBe(0);
    expectSame(run);
  },
);
