/** The process and what it runs in: interrupted at any moment, closed or full outputs, no home, several at once. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { golden } from "../goldens.js";
import { slowTest } from "../slow.js";
import { tensorsOf } from "../tensors.js";

const photo = golden("photos/rocket.jpg");
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "process-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program by a line of the shell, in which `$RUN` is the program. */
function shell(
  line: string,
  { env = process.env, interruptAfter }: { env?: NodeJS.ProcessEnv; interruptAfter?: number } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const run = `"${process.execPath}" "${main}"`;
    const child = spawn("sh", ["-c", `exec ${line.replace("$RUN", run)}`], { env });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const timer =
      interruptAfter === undefined ? undefined : setTimeout(() => child.kill("SIGINT"), interruptAfter);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}

const noTrace = /\n\s+at |node:internal|undefined|\[object/;

slowTest("interrupted at any moment, it ends with 130 and no word of an error", async () => {
  const start = performance.now();
  const whole = await shell(`$RUN caption --quiet --beams 3 ${photo}`);
  const longest = performance.now() - start;
  expect(whole.code).toBe(0);
  const random = randomStream(1, "interrupts");
  const seen = { interrupted: 0, beforeItListened: 0, done: 0 };
  for (let i = 0; i < 12; i++) {
    const after = random.uniform(i) * longest * 1.1;
    const { code, signal, stderr, stdout } = await shell(`$RUN caption --quiet --beams 3 ${photo}`, {
      interruptAfter: after,
    });
    // Before the program's first line Node itself ends, by the signal, which a shell shows as 130 too.
    if (signal === "SIGINT") seen.beforeItListened++;
    else if (code === 130) seen.interrupted++;
    else {
      expect(code).toBe(0);
      expect(stdout).toBe(whole.stdout);
      seen.done++;
    }
    expect(stderr).toBe("");
  }
  console.log(`12 interrupts: ${JSON.stringify(seen)}`);
  expect(seen.interrupted + seen.beforeItListened).toBeGreaterThan(0);
});

describe.skipIf(process.platform === "win32")("outputs", () => {
  test("closed, the work goes on to its end", async () => {
    expect(await shell(`$RUN caption --quiet ${photo} >&-`)).toMatchObject({ code: 0, stderr: "" });
    expect(await shell(`$RUN caption ${photo} 2>&-`)).toMatchObject({ code: 0 });
  });

  test.skipIf(!existsSync("/dev/full"))("on a full disk, it is reported once, with 6", async () => {
    const { code, stderr } = await shell(`$RUN caption --quiet ${photo} ${photo} >/dev/full`);
    expect(stderr).toBe(
      "openflamingo: standard output cannot be written (ENOSPC: the disk is full)\n  Write the answers somewhere else.\n",
    );
    expect(code).toBe(6);
    expect((await shell(`$RUN caption ${photo} 2>/dev/full`)).code).toBe(0);
  });
});

describe("surroundings", () => {
  test.each([
    ["no home", { HOME: undefined, USERPROFILE: undefined }],
    ["a folder for temporary files that is not there", { TMPDIR: join(folder, "none") }],
  ])("%s", async (_, changes) => {
    const { code, stdout, stderr } = await shell(`$RUN caption --quiet ${photo}`, {
      env: { ...process.env, ...changes },
    });
    expect(stderr).not.toMatch(noTrace);
    expect(stdout).not.toBe("");
    expect(code).toBe(0);
  });

  test("three at once over one model and one file: each answers, and the file is whole", async () => {
    const file = join(folder, "features.safetensors");
    const ended = await Promise.all(
      [1, 2, 3].map(() => shell(`$RUN embed --quiet --output "${file}" ${photo} ${photo}`)),
    );
    expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual(ended.map(() => [0, ""]));
    expect((await tensorsOf(file)).get("features")!.shape[0]).toBe(2);
  });
});
