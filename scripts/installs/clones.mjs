/** This repository in a clean clone: the README's first line and `npm run` under every npm, without a warning. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { environment, must, shell } from "./run.mjs";

export function tryClones({ root, folder, tools, table, firstLine }) {
  if (shell("git rev-parse HEAD", { cwd: root, env: process.env }).status !== 0) {
    console.log("clean clones are not tried: this is no git repository");
    return;
  }
  for (const [npm, node] of [
    ["10", "oldest"],
    ["11", "22"],
    ["12", "24"],
  ]) {
    const used = `npm ${tools.npm[npm].version}, Node ${tools.node[node].version}`;
    table.row("a clean clone, the README's first line", used, () => {
      const clone = join(folder, `clone-${npm}`);
      mkdirSync(clone);
      must(`git archive HEAD | tar -x -C "${clone}"`, { cwd: root, env: process.env });
      const options = { cwd: clone, env: environment([tools.npm[npm].bin, tools.node[node].bin]) };
      // Both streams: npm warns on standard error.
      const printed = must(`{ ${firstLine}; npm run lockfile; } 2>&1`, options);
      const warnings = printed
        .split("\n")
        .filter((line) => /^npm warn/i.test(line) && !isOfThisMachine.test(line));
      if (warnings.length > 0) throw new Error(warnings.join("\n"));
      if (!/^an? [a-z ]+$/m.test(printed)) throw new Error(`no caption in:\n${printed}`);
      refuseCuda(clone);
    });
  }
}

/** Settings in the user's own files, which newer versions of npm may not know. */
const isOfThisMachine = /unknown (user|env|global) config/i;

/** @throws Error if CUDA libraries were downloaded into a project */
export function refuseCuda(project) {
  const files = readdirSync(join(project, "node_modules"), { recursive: true });
  const cuda = files.filter((name) => /onnxruntime_providers_(cuda|tensorrt)/.test(name));
  if (cuda.length > 0) throw new Error(`downloaded: ${cuda.join(", ")}`);
}
