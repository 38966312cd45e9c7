/** The packed package, installed by the README's lines with every package manager. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { refuseCuda } from "./clones.mjs";
import { environment, must } from "./run.mjs";

/** An empty project with a photograph in it. */
export function emptyProject({ root, folder }, name) {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "name": "user", "private": true, "type": "module" }');
  copyFileSync(join(root, "assets/photos/rocket.jpg"), join(project, "photo.jpg"));
  return project;
}

/** @returns the project that the last npm has installed */
export function tryManagers(context) {
  const { folder, tools, table, tarball, installLines, pnpmBuilds } = context;
  const caption = (run) => (options) => {
    if (must(`${run} openflamingo caption --quiet photo.jpg`, options).trim() === "")
      throw new Error("no caption");
  };
  const install = (line) => line.replace(/\bopenflamingo$/, `"${tarball}"`);
  let project;
  for (const [npm, node] of [
    ["10", "oldest"],
    ["11", "22"],
    ["12", "24"],
  ]) {
    project = emptyProject(context, `npm-${npm}`);
    const options = { cwd: project, env: environment([tools.npm[npm].bin, tools.node[node].bin]) };
    const used = `npm ${tools.npm[npm].version}, Node ${tools.node[node].version}`;
    table.row("the package, the README's install line", used, () => {
      must(install(installLines.npm), options);
      caption("npx")(options);
      refuseCuda(project);
    });
  }
  for (const [pnpm, node] of [
    ["10", "oldest"],
    ["11", "22"],
    ["12", "24"],
  ]) {
    const project = emptyProject(context, `pnpm-${pnpm}`);
    writeFileSync(join(project, "pnpm-workspace.yaml"), pnpmBuilds);
    const store = `--store-dir="${join(folder, "pnpm-store")}"`;
    const options = {
      cwd: project,
      env: environment([tools.pnpm[pnpm].bin, tools.node[node].bin], { CI: "true" }),
    };
    const used = `pnpm ${tools.pnpm[pnpm].version}, Node ${tools.node[node].version}`;
    table.row("the package, the README's lines for pnpm", used, () => {
      must(`${install(installLines.pnpm)} ${store}`, options);
      caption("pnpm exec")(options);
      refuseCuda(project);
    });
  }
  return project;
}
