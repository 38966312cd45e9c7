/** The recipes of docs/bundlers.md, run as they stand. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, must } from "./run.mjs";

/** Of these nothing is run: they need a network, or much more than a package. */
const notRun = new Set(["Next", "Docker and CI"]);

export function tryBundlers({ root, tools, table }, project) {
  const [introduction, ...sections] = readFileSync(join(root, "docs/bundlers.md"), "utf8").split(/^## /m);
  const app = blocksOf(introduction)[0];
  for (const section of sections) {
    const title = section.split("\n")[0];
    if (notRun.has(title)) continue;
    const files = [app];
    for (const block of blocksOf(section)) {
      if (block.language === "js") {
        files.push(block);
        continue;
      }
      const [tool] = block.text.split(" ");
      // The page says so: a server build of Vite with everything in it has no file for the worker.
      const hasWorker = !(title === "All in one bundle" && tool === "vite");
      const version = tools.bundlers.versions[tool];
      table.row(
        `docs/bundlers.md, ${title}`,
        version ? `${tool} ${version}` : `Node ${tools.node[22].version}`,
        () => tryRecipe(join(project, "bundled"), files, block.text, { project, tools, hasWorker }),
      );
      if (title !== "CommonJS") files.splice(1); // a configuration belongs to the commands that follow it
    }
  }
}

/** Runs the commands of a recipe in a folder of its own, and what they make with both backends. */
function tryRecipe(folder, files, commands, { project, tools, hasWorker }) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  symlinkSync(join(project, "node_modules"), join(folder, "node_modules"));
  copyFileSync(join(project, "photo.jpg"), join(folder, "photo.jpg"));
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  for (const { text } of files) {
    const name = /^\/\/ (\S+)\n/.exec(text)[1];
    writeFileSync(
      join(folder, name),
      text.replace("load()", "load(undefined, { backend: process.argv[3] })"),
    );
  }
  const env = environment([tools.node[22].bin, tools.bundlers.bin]);
  const lines = commands.trim().split("\n");
  const run = (line) => must(line, { cwd: folder, env, seconds: 90 });
  const caption = lines.map(run).at(-1);
  if (!/\w/.test(caption)) throw new Error("no caption");
  if (hasWorker && run(`${lines.at(-1)} ort.binding`) !== caption)
    throw new Error("ort.binding: another caption");
}

const blocksOf = (text) =>
  [...text.matchAll(/```(js|sh)\n(.*?)```/gs)].map(([, language, text]) => ({ language, text }));
