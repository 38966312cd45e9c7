/** `openflamingo/train` as its users get it: the examples of its documentation, compiled and run on the built package. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { slowTest } from "../slow.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The code of each `@example` in the documentation of the entry. */
const examples = readFileSync(join(root, "src/train/index.ts"), "utf8")
  .split("* @example\n")
  .slice(1)
  .map((each) =>
    each
      .split("* @module")[0]!
      .split("\n")
      .map((line) => line.replace(/^ \* ?/, ""))
      .join("\n"),
  );

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "openflamingo-train-"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/openflamingo"), "junction");
  symlinkSync(join(root, "node_modules/@types"), join(folder, "node_modules/@types"), "junction");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  mkdirSync(join(folder, "photos"));
  copyFileSync(join(root, "assets/photos/rocket.jpg"), join(folder, "photos/1.jpg"));
  copyFileSync(join(root, "assets/photos/chelsea.png"), join(folder, "photos/2.png"));
  writeFileSync(join(folder, "captions.csv"), "image,text\n1.jpg,a rocket\n2.png,a cat\n");
  examples.forEach((code, i) => {
    writeFileSync(join(folder, `example${i}.ts`), code);
  });
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const options = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext"];
  const files = examples.map((_, i) => `example${i}.ts`);
  execFileSync(process.execPath, [tsc, ...options, "--types", "node", ...files], {
    cwd: folder,
    stdio: "pipe",
  });
}, 120_000); // the compiler takes seconds, on a busy machine many
afterAll(() => rmSync(folder, { recursive: true }));

test("there are two examples", () => {
  expect(examples.length).toBe(2);
});

// The second reads the shards that the first one has made.
slowTest.each(examples.map((code, i) => [code.split("\n")[0]!, i] as const))(
  "%s",
  (_, i) => {
    const file = join(folder, `example${i}.js`);
    const printed = execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
    const promised = /console\.log\(.*\);.* \/\/ (.*)/.exec(examples[i]!)![1];
    expect(printed.trim()).toBe(promised);
  },
  60_000,
);
