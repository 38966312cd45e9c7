/** A disk that fails, at each of its operations in turn, while a checkpoint is saved: nothing that was saved is lost. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { OpenFlamingoError } from "../../src/base/errors.js";
import { createRun, openRun } from "../../src/runs/runFolder.node.js";
import type { RunState } from "../../src/runs/runState.js";
import { temporaryFolder } from "../checkpoints/fixtures.js";
import { isSlowAsked } from "../slow.js";
import { read, stateOf } from "./runs.js";

/** Counts operations that change the disk; the one of this number fails, and so do all that follow it for a while. */
const disk = vi.hoisted(() => ({
  done: 0,
  failing: Number.POSITIVE_INFINITY,
  until: 0,
  what: [] as string[],
}));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const step = (what: string) => {
    const number = disk.done++;
    if (number < disk.failing || number >= disk.until) return;
    disk.what.push(what);
    throw Object.assign(new Error(`ENOSPC: no space left on device, ${what}`), {
      code: "ENOSPC",
      syscall: what,
    });
  };
  const counted =
    <A extends unknown[], R>(what: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      step(what);
      return call(...args);
    };
  return {
    ...real,
    mkdir: counted("mkdir", real.mkdir as (...args: unknown[]) => Promise<unknown>),
    rename: counted("rename", real.rename),
    rm: counted("rm", real.rm),
    open: async (...args: Parameters<typeof real.open>) => {
      const isWriting = args[1] !== undefined && args[1] !== "r" && typeof args[1] === "string";
      if (isWriting) step("open");
      const file = await real.open(...args);
      if (!isWriting) return file;
      const { writeFile, write, sync } = file;
      file.writeFile = async (...given: Parameters<typeof writeFile>) => {
        // Half of it is written, as on a disk that fills.
        const [data] = given;
        if (disk.done >= disk.failing && disk.done < disk.until && data instanceof Uint8Array) {
          await writeFile.call(file, data.subarray(0, data.length >> 1));
        }
        step("write");
        return writeFile.apply(file, given);
      };
      file.write = (async (...given: Parameters<typeof write>) => {
        // Five bytes of a line.
        const part = [...(given as unknown[])];
        part[2] = 5;
        if (disk.done >= disk.failing && disk.done < disk.until)
          await write.apply(file, part as typeof given);
        step("write");
        return write.apply(file, given);
      }) as typeof write;
      file.sync = async () => {
        step("fsync");
        return sync.call(file);
      };
      return file;
    },
  };
});

/** Saves step 2, then another with the operation of this number failing. @returns whether one failed */
async function saveOn(failing: number, lasting: number, next: RunState): Promise<boolean> {
  const folder = join(temporaryFolder(), "run");
  const run = await createRun(folder, { settings: {} });
  await run.save(stateOf(2), { keep: 1 });
  Object.assign(disk, { done: 0, failing, until: failing + lasting, what: [] });
  const error: unknown = await run.save(next, { keep: 1 }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const failed = disk.what.length > 0;
  disk.failing = Number.POSITIVE_INFINITY;
  // Also before anything is mended by opening the run.
  const names = readdirSync(join(folder, "checkpoints"));
  if (lasting === 1) expect(names.some((name) => /^step-\d+$/.test(name))).toBe(true);
  await run.close();
  if (error !== undefined) {
    expect(error).toBeInstanceOf(OpenFlamingoError);
    expect(error).toMatchObject({ code: "disk" });
    expect((error as Error).message).toContain(
      `The checkpoint of step ${next.step} is not saved; those before it are whole`,
    );
  }
  const opened = await openRun(folder);
  const found = await read(opened.latest!);
  // What was not reported may not be lost, and what was there before never.
  expect(error === undefined ? [next] : [stateOf(2), next]).toContainEqual(found);
  await opened.save(stateOf(4), { keep: 1 });
  await opened.close();
  expect(readdirSync(join(folder, "checkpoints"))).toEqual(["step-00000004"]);
  return failed;
}

const faults: readonly (readonly [string, string, number, RunState])[] = [
  ["once", "a new checkpoint", 1, stateOf(3)],
  ["from then on", "a new checkpoint", 1000, stateOf(3)],
  ["once", "one of the same step", 1, { ...stateOf(2), data: "again" }],
];
test.each(isSlowAsked ? faults : faults.slice(0, 1))(
  "each operation fails in turn, %s: %s",
  async (_, __, lasting, next) => {
    let operations = 0;
    while (await saveOn(operations, lasting, next)) operations++;
    console.log(`${operations} operations of saving failed in turn`);
    expect(operations).toBeGreaterThan(25);
  },
);

test("a log that cannot be written says so, and goes on where it was", async () => {
  const folder = join(temporaryFolder(), "run");
  const run = await createRun(folder, { settings: {} });
  await run.log(1, { loss: 2 });
  Object.assign(disk, { done: 0, failing: 0, until: 1 });
  await expect(run.log(2, { loss: 1 })).rejects.toMatchObject({
    code: "disk",
    message: expect.stringContaining("log.jsonl"),
  });
  const lines = () => readFileSync(join(folder, "log.jsonl"), "utf8");
  expect(lines()).toBe('{"step":1,"loss":2}\n');
  await run.log(3, { loss: 0.5 });
  await run.save(stateOf(3));
  await run.close();
  expect(lines()).toBe('{"step":1,"loss":2}\n{"step":3,"loss":0.5}\n');
});
