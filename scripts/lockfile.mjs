/**
 * Keeps `npm ci` of this repository from running onnxruntime-node's install script, which downloads CUDA libraries on
 * Linux x64 and fails where their server is not reached. npm 11 and 12 read `allowScripts` in package.json; npm 10 has
 * no such setting, but runs the scripts only of packages that the lockfile marks with `hasInstallScript`.
 *
 * npm writes the mark again when it takes another version of the package: this fails then, and `--write` takes it out.
 */
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const entry = lock.packages["node_modules/onnxruntime-node"];

if (entry.hasInstallScript) {
  if (process.argv.includes("--write")) {
    delete entry.hasInstallScript;
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  } else {
    console.error(
      "package-lock.json lets onnxruntime-node run its install script: node scripts/lockfile.mjs --write",
    );
    process.exitCode = 1;
  }
}
