/** A project in TypeScript that names no types, under every version of the compiler and each way to find modules. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, must } from "./run.mjs";

const program = `
import { createModelAndTransforms, type Flamingo, image, load, OpenFlamingoError } from "openflamingo";
import { createGraph } from "openflamingo/graph";

const flamingo: Flamingo = await load(undefined, { signal: new AbortController().signal });
try {
  const { text }: { text: string } = await flamingo.caption(new URL("file:///cat.jpg"));
  await flamingo.generate([image("cat.jpg"), text], { maxNewTokens: 20 });
} catch (error) {
  if (!(error instanceof OpenFlamingoError)) throw error;
} finally {
  await flamingo.close();
}
void [createModelAndTransforms, createGraph];
`;

/** TypeScript lets CommonJS files import ES modules from 5.8 on. */
const inCommonJs = program
  .replace("const flamingo", "async function main() {\nconst flamingo")
  .replace("\nvoid", "\n}\nvoid [main]; void");

const ways = [
  ["node16", "node16"],
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
];

export function tryTypes({ tools, table }, project) {
  must("npm install --no-save --no-audit --no-fund --silent --ignore-scripts @types/node@20.19.43", {
    cwd: project,
    env: environment([tools.npm[12].bin, tools.node[24].bin]),
  });
  const folder = join(project, "types");
  mkdirSync(folder);
  writeFileSync(join(folder, "program.mts"), program);
  writeFileSync(join(folder, "program.cts"), inCommonJs);
  const check = ({ tsc }, [module, moduleResolution], file) => {
    const compilerOptions = {
      ...{ module, moduleResolution, types: [], strict: true, skipLibCheck: false, noEmit: true },
      ...{ target: "es2022", lib: ["es2022"] },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [file] }));
    must(`node "${tsc}" -p .`, { cwd: folder, env: environment([tools.node[24].bin]) });
  };
  for (const compiler of tools.typescript) {
    const old = compiler.version.startsWith("5.4");
    for (const way of old ? ways.slice(1, 2) : ways) {
      table.row("types: [], without skipLibCheck", `TypeScript ${compiler.version}, ${way[1]}`, () =>
        check(compiler, way, "program.mts"),
      );
    }
    if (old) continue;
    table.row("types: [], required", `TypeScript ${compiler.version}, nodenext`, () =>
      check(compiler, ["nodenext", "nodenext"], "program.cts"),
    );
  }
}
