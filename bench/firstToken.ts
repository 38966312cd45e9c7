/**
 * How soon does the first word appear, and what does importing the library cost? Whole processes, from outside.
 *
 *     npm run build && npx tsx bench/firstToken.ts
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { report, reportMachine, timed } from "./measure.js";

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Milliseconds from the start of a process to its first byte on standard output. */
const firstByte = (args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    let seen = false;
    child.stdout.once("data", () => {
      seen = true;
      resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (!seen) reject(new Error(`no output, exit code ${code}`));
    });
  });

const importTime = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const script = `const t = performance.now(); await import(${JSON.stringify(at("dist/index.js"))}); console.log(performance.now() - t)`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.once("data", (data) => resolve(Number(data)));
    child.once("error", reject);
  });

reportMachine();
const empty = await timed(() => firstByte(["-e", "console.log()"]), 9);
report("an empty Node process to its first byte", empty, "ms", 0);
const caption = await timed(
  () => firstByte([at("dist/cli/main.js"), "caption", at("assets/photos/chelsea.png")]),
  9,
);
report("caption with the bundled model, start to first token", caption, "ms", 0);
const imports: number[] = [];
for (let i = 0; i < 9; i++) imports.push(await importTime());
report("import of the library", imports, "ms", 0);
