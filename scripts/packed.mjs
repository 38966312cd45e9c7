/**
 * Tries the package as a user gets it: packed, installed by the README's line into an empty folder, and the README's
 * examples typed in as they stand, under both ways in which TypeScript finds modules.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deadLinks } from "./links.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const section = (title) => readme.split(new RegExp(`^#{2,3} ${title}\\n`, "m"))[1].split(/^#{2,3} /m)[0];
const blocks = (text, language) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map((match) => match[1]);

/** What a user gets, as docs/dependencies.md keeps it: a change there should be a decision. */
function inventory(tarball) {
  const [{ size, unpackedSize, entryCount }] = JSON.parse(run(`npm pack --dry-run --json --silent`, root));
  const { packages } = JSON.parse(readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8"));
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const notOurs = /node_modules\/(typescript|@types\/node|undici-types|openflamingo)$/;
  const installed = Object.entries(packages).filter(([name]) => !notOurs.test(name));
  const scripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript);
  const names = (list) => list.map(([name]) => name.replace("node_modules/", "")).sort();
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
  console.log(
    `${tarball}: ${entryCount} files, ${megabytes(size)} packed, ${megabytes(unpackedSize)} unpacked`,
  );
  console.log(`installed with it: ${names(installed).join(", ")}`);
  const counts = `${Object.keys(own.dependencies).length} direct dependencies, ${installed.length} packages in all on linux x64, ${scripts.length} with an install script (${names(scripts).join(", ")})`;
  console.log(counts);
  const kept = readFileSync(join(root, "docs/dependencies.md"), "utf8");
  if (process.platform === "linux" && process.arch === "x64" && !kept.includes(counts)) {
    throw new Error(`docs/dependencies.md does not say "${counts}"`);
  }
}

const folder = mkdtempSync(join(tmpdir(), "openflamingo-packed-"));
const run = (command, cwd = folder) => {
  console.log(`$ ${command}`);
  return execFileSync(command, { cwd, shell: true, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
};

/** The packed documents: links lead to files of the package, and nobody is reported of what npm 12 rejects. */
function checkFiles(tarball) {
  run(`tar -xzf "${tarball}"`);
  const unpacked = join(folder, "package");
  const dead = deadLinks(unpacked);
  if (dead.length > 0) throw new Error(`links that lead nowhere in the package:\n  ${dead.join("\n  ")}`);
  const old = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(js|ts|md)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.endsWith("dependencies.md") && readFileSync(file, "utf8").includes(rejectedFlag));
  if (old.length > 0)
    throw new Error(`${rejectedFlag} is an error in npm 12, and is named in:\n  ${old.join("\n  ")}`);
  rmSync(unpacked, { recursive: true });
}
const rejectedFlag = "--onnxruntime-node-install";

/** Types in all commands of a page, one a line. */
const typeIn = (commands) => {
  for (const line of commands.join("").trim().split("\n")) console.log(run(`npx ${line}`));
};

try {
  const tarball = run(`npm pack --silent --pack-destination "${folder}"`, root).trim();
  run(`npx publint --pack false --strict`, root);
  checkFiles(tarball);
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true, "type": "module" }');
  const [install] = blocks(section("Install"), "sh");
  run(`${install.trim().replace(/openflamingo$/, `./${tarball}`)} typescript@6 @types/node@20`);

  inventory(tarball);

  copyFileSync(join(root, "assets/photos/rocket.jpg"), join(folder, "photo.jpg"));
  copyFileSync(join(root, "assets/photos/chelsea.png"), join(folder, "cats.jpg")); // formats are known from content
  writeFileSync(join(folder, "shots.json"), '[{"image": "cats.jpg", "text": "two cats"}]');

  copyFileSync(join(root, "assets/photos/coffee.png"), join(folder, "sink.jpg"));

  mkdirSync(join(folder, "photos"));
  copyFileSync(join(root, "assets/photos/rocket.jpg"), join(folder, "photos/1.jpg"));
  copyFileSync(join(root, "assets/photos/chelsea.png"), join(folder, "photos/2.png"));
  writeFileSync(join(folder, "captions.csv"), "image,text\n1.jpg,a rocket\n2.png,a cat\n");

  const examples = [
    ...["Library", "The compatible API"].map((title) => blocks(section(title), "ts")[0]),
    blocks(readFileSync(join(root, "docs/training.md"), "utf8"), "ts")[0].replace("my-run", "by-program"),
  ];
  for (const [i, example] of examples.entries()) writeFileSync(join(folder, `example${i + 1}.ts`), example);
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    run(
      `npx tsc --strict --target es2022 --module ${module} --moduleResolution ${resolution} --types node example1.ts example2.ts example3.ts`,
    );
    console.log(run("node example1.js"));
    console.log(run("node example2.js"));
    console.log(run("node example3.js"));
  }
  for (const title of ["Command line", "Train on your own images"]) typeIn(blocks(section(title), "sh"));
  console.log(run("npx openflamingo caption --quiet --shots shots.json photo.jpg"));
  // The page on training begins like the README.
  rmSync(join(folder, "my-run"), { recursive: true });
  const training = readFileSync(join(root, "docs/training.md"), "utf8");
  writeFileSync(join(folder, "train.yaml"), blocks(training, "yaml")[0]);
  typeIn(blocks(training, "sh"));
  console.log("the packed package works as the README says");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
