/** The Python of a comparison: an environment that somebody made for it, and what it says. Never needed. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** The environment variable that names it, where no option does. */
export const pythonVariable = "OPENFLAMINGO_PEER_PYTHON";

/** @param option what `--python` said */
export const pythonOf = (option: string | undefined): string =>
  option ?? process.env[pythonVariable] ?? "python3";

/** Why this Python cannot import all of the modules, in its own last words; undefined if it can. */
export function missing(python: string, modules: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(python, ["-c", `import ${modules.join(", ")}`], {
    encoding: "utf8",
  });
  if (error) return `there is no Python at ${python}`;
  if (status === 0) return undefined;
  return `${python}: ${stderr.trim().split("\n").at(-1)}`;
}

/** A script under way. */
export interface Peer extends Disposable {
  /** Sends a line, if one is given, and waits for one. */
  line(send?: string): Promise<string>;
}

/** @param temporary the folder for its temporary files: it may leave some behind */
export function startPeer(python: string, args: readonly string[], temporary: string): Peer {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(python, args, {
    stdio: "pipe",
    env: { ...process.env, TMPDIR: temporary },
  });
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints += text;
  });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      reject(new Error(`${args[0]} ended with ${code}:\n${complaints.trim()}`));
    });
  });
  failed.catch(() => {}); // it matters only while somebody waits for a line
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async line(send) {
      if (send !== undefined) child.stdin.write(`${send}\n`);
      const next = await Promise.race([lines.next(), failed]);
      return next.done ? failed : next.value;
    },
    [Symbol.dispose]: () => child.kill(),
  };
}
