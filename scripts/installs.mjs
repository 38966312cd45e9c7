/**
 * Tries what a user's machine may have: npm 10, 11 and 12, pnpm, several versions of Node, bundlers and TypeScript
 * compilers, with this repository in a clean clone and with the packed package. Prints a table; fails where a row does.
 * Linux and macOS. The tools are fetched from npm's registry, at the versions in `installs/tools.mjs`; nothing else is.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tryBundlers } from "./installs/bundlers.mjs";
import { tryClones } from "./installs/clones.mjs";
import { tryManagers } from "./installs/managers.mjs";
import { tryNodes } from "./installs/nodes.mjs";
import { createTable, environment, must } from "./installs/run.mjs";
import { fetchTools } from "./installs/tools.mjs";
import { tryTypes } from "./installs/types.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const line = (pattern) => {
  const found = pattern.exec(readme);
  if (found === null) throw new Error(`README.md has no line ${pattern}`);
  return found[0];
};

const start = performance.now();
const folder = realpathSync(mkdtempSync(join(tmpdir(), "openflamingo-installs-")));
try {
  const table = createTable();
  const packed = must(`npm pack --silent --pack-destination "${folder}"`, {
    cwd: root,
    env: environment([]),
  });
  const context = {
    root,
    folder,
    table,
    tools: fetchTools(join(folder, "tools")),
    tarball: join(folder, packed.trim().split("\n").at(-1)),
    firstLine: line(/^npm ci && npx openflamingo .*$/m),
    installLines: {
      npm: line(/^\S+=skip npm install openflamingo$/m),
      pnpm: line(/^pnpm add openflamingo$/m),
    },
    pnpmBuilds: line(/^allowBuilds:\n( {2}\S+: false\n)+/m),
  };
  tryClones(context);
  const project = tryManagers(context);
  tryNodes(context, project);
  tryTypes(context, project);
  tryBundlers(context, project);
  if (!table.end()) process.exitCode = 1;
  console.log(`${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
