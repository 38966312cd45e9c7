/** Prints the lines of every folder of `src/` beside its budget. It never fails: the numbers are a question. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layers } from "./layers.mjs";

const src = fileURLToPath(new URL("../src", import.meta.url));
const filesOf = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
const linesOf = (files) =>
  files.reduce((sum, file) => sum + readFileSync(file, "utf8").split("\n").length - 1, 0);

let total = 0;
for (const [layer, folders] of layers.entries()) {
  for (const [folder, budget] of Object.entries(folders)) {
    const files = filesOf(join(src, folder));
    const lines = linesOf(files);
    total += lines;
    const longest = files
      .map((file) => [linesOf([file]), file.slice(src.length + 1)])
      .sort((a, b) => b[0] - a[0])[0];
    const mark = lines > budget ? "over" : "";
    console.log(
      `${layer}  ${folder.padEnd(12)} ${String(lines).padStart(6)} of ${String(budget).padStart(5)} ${mark.padEnd(5)}` +
        (longest ? ` longest ${longest[1]} ${longest[0]}` : ""),
    );
  }
}
console.log(`   ${"all".padEnd(12)} ${String(total).padStart(6)}`);
