/**
 * Runs the command line in this process: the same commands with the same outputs and exit codes, without the start of a
 * process for each. What belongs to a process (signals, pipes, full disks, the start itself) is tested with `run`.
 */
import type { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import type { Finished } from "./run.js";

let runs = 0;

/** One after the other: standard output, standard error and the exit code are those of this process. */
export async function runInProcess(args: readonly string[]): Promise<Finished> {
  const { argv, exitCode, stdout, stderr } = process;
  const texts = { stdout: "", stderr: "" };
  const [writeOut, writeErr] = [stdout.write, stderr.write];
  const catching = (name: keyof typeof texts) => (text: string | Uint8Array) => {
    texts[name] += typeof text === "string" ? text : Buffer.from(text).toString();
    return true;
  };
  const listeners: readonly (readonly [EventEmitter, string])[] = [
    [stdout, "error"],
    [stderr, "error"],
    [process, "SIGINT"],
    [process, "SIGTERM"],
  ];
  const before = listeners.map(([of, event]) => of.listeners(event));
  process.argv = [process.execPath, "openflamingo", ...args];
  process.exitCode = undefined;
  stdout.write = catching("stdout");
  stderr.write = catching("stderr");
  try {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    await import(/* @vite-ignore */ `${main}?run=${runs++}`); // it runs when it is loaded
    return { code: Number(process.exitCode ?? 0), ...texts };
  } finally {
    stdout.write = writeOut;
    stderr.write = writeErr;
    process.argv = argv;
    process.exitCode = exitCode;
    for (const [i, [of, event]] of listeners.entries()) {
      for (const each of of.listeners(event)) {
        if (!before[i]!.includes(each)) of.removeListener(event, each as () => void);
      }
    }
  }
}
