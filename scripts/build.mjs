/** Compiles `src` to `dist`, from nothing, and makes the command runnable. */
import { execSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
execSync("npx tsc -p tsconfig.build.json", { cwd: root, stdio: "inherit" });
chmodSync(`${root}dist/cli/openflamingo.js`, 0o755);
