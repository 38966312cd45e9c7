/** Running commands, and the table of what was tried. */
import { spawnSync } from "node:child_process";
import { delimiter } from "node:path";

/** What npm sets for its scripts, and settings of this machine that would change the result. */
const dropped =
  /^(npm_(?!config_(registry|cache|userconfig)$)|onnxruntime_node_install|node_options$|init_cwd$)/i;

/** The environment with programs of our choice in front, and without what npm adds for its own scripts. */
export function environment(folders, more = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !dropped.test(name));
  const path = [
    ...folders,
    ...(process.env.PATH ?? "")
      .split(delimiter)
      .filter((folder) => !/node_modules|node-gyp-bin/.test(folder)),
  ];
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter), NEXT_TELEMETRY_DISABLED: "1", ...more };
}

/** Runs a line of shell. @returns { status, stdout, stderr } */
export function shell(line, { cwd, env, seconds = 300 }) {
  return spawnSync("sh", ["-ec", line], { cwd, env, encoding: "utf8", timeout: 1000 * seconds });
}

/** The same where the line must succeed. @returns all that it printed on standard output */
export function must(line, options) {
  const { status, stdout, stderr, error } = shell(line, options);
  if (status === 0) return stdout;
  const last = `${stdout}\n${stderr}`.trim().split("\n").slice(-12).join("\n");
  throw new Error(`${line}\n${error?.message ?? `exit code ${status}`}\n${last}`);
}

/** Rows of what was tried, each with its result; they are shown as they come. */
export function createTable() {
  const failed = [];
  let rows = 0;
  return {
    /** Tries something. `attempt` returns a remark, and throws when it fails. */
    row(what, tool, attempt) {
      const start = performance.now();
      let result = "ok";
      try {
        result += attempt() ?? "";
      } catch (error) {
        result = "FAILED";
        failed.push(`${what}, ${tool}: ${error.message}`);
      }
      rows++;
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      console.log(
        `| ${what.padEnd(44)} | ${tool.padEnd(34)} | ${result.padEnd(6)} | ${seconds.padStart(3)} s |`,
      );
    },
    /** @returns whether all went well, after showing what did not */
    end() {
      for (const each of failed) console.error(`\n${each}`);
      console.log(`\n${rows - failed.length} of ${rows} tried are right`);
      return failed.length === 0;
    },
  };
}
