/** Package managers, versions of Node, bundlers and compilers: packages of npm, fetched into a folder of their own. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, must } from "./run.mjs";

/** Node's binary for this platform is a package too. */
const nodePackage = `node-${process.platform}-${process.arch}`;

/** The oldest that is supported, the two newest lines, and one that is too old. */
const nodes = { oldest: "20.19.0", 22: "22.23.3", 24: "24.21.0", tooOld: "20.9.0" };
const npms = { 10: "10.9.9", 11: "11.21.2", 12: "12.2.1" };
const pnpms = { 10: "10.34.9", 11: "11.28.11", 12: "12.21.0" };
const compilers = ["5.4.5", "5.9.3", "6.0.3", "7.0.2"];
const bundlers = { esbuild: "0.28.2", vite: "8.3.8", webpack: "5.113.0", "webpack-cli": "6.0.1" };

const aliases = (kind, name, versions) =>
  Object.fromEntries(
    Object.entries(versions).map(([key, version]) => [
      `${kind}-${key.toLowerCase()}`,
      `npm:${name}@${version}`,
    ]),
  );

/** Fetches all of them. @returns where they are */
export function fetchTools(folder) {
  mkdirSync(folder);
  const dependencies = {
    ...aliases("node", nodePackage, nodes),
    ...aliases("npm", "npm", npms),
    ...aliases("pnpm", "pnpm", pnpms),
    ...aliases(
      "typescript",
      "typescript",
      Object.fromEntries(compilers.map((version) => [version, version])),
    ),
    ...bundlers,
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, dependencies }));
  must("npm install --ignore-scripts --no-audit --no-fund --silent", { cwd: folder, env: environment([]) });
  const path = (...names) => join(folder, "node_modules", ...names);

  /** A folder to put in front of PATH, with links to programs. */
  const programs = (name, links) => {
    const bin = join(folder, "bin", name);
    mkdirSync(bin, { recursive: true });
    for (const [link, target] of Object.entries(links)) symlinkSync(target, join(bin, link));
    return bin;
  };
  const entries = (versions, make) =>
    Object.fromEntries(
      Object.entries(versions).map(([key, version]) => [key, { version, ...make(key, version) }]),
    );
  return {
    node: entries(nodes, (key) => ({
      bin: programs(`node-${key}`, { node: path(`node-${key.toLowerCase()}`, "bin/node") }),
    })),
    npm: entries(npms, (key) => ({
      bin: programs(`npm-${key}`, {
        npm: path(`npm-${key}`, "bin/npm-cli.js"),
        npx: path(`npm-${key}`, "bin/npx-cli.js"),
      }),
    })),
    pnpm: entries(pnpms, (key) => ({ bin: programs(`pnpm-${key}`, { pnpm: pnpmProgram(path, key) }) })),
    typescript: compilers.map((version) => ({ version, tsc: path(`typescript-${version}`, "bin/tsc") })),
    bundlers: { bin: path(".bin"), versions: bundlers },
  };
}

/** A script until pnpm 11, and from 12 on a binary in a package of the platform. */
function pnpmProgram(path, key) {
  if (key === "10") return path("pnpm-10", "bin/pnpm.cjs");
  if (key === "11") return path("pnpm-11", "bin/pnpm.mjs");
  return path("@pnpm", `exe.${process.platform}-${process.arch}`, "pnpm");
}
