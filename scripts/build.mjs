/**
 * Compiles `src` to `dist`, from nothing, makes the command runnable, and compiles the programs of the model that comes
 * with the package.
 */
import { execSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
execSync("npx tsc -p tsconfig.build.json", { cwd: root, stdio: "inherit" });
chmodSync(`${root}dist/cli/openflamingo.js`, 0o755);

const from = (file) => import(new URL(`../dist/${file}`, import.meta.url));
const { bundledModel } = await from("api/bundledModel.node.js");
const { bundledProgramsFile, writeBundledPrograms } = await from("api/bundledPrograms.node.js");
const { readModelFolder } = await from("checkpoints/modelFolder.node.js");
const { readConfigs } = await from("api/configs.js");
const { node } = await from("api/platform.node.js");
const { programKey, programsOf } = await from("runner/modelRunner.js");
const { config } = await readConfigs(node, await readModelFolder(bundledModel()));
await writeBundledPrograms(bundledProgramsFile(), programKey(config, "fp32"), programsOf(config));
