/** One installed project under every version of Node: the command, `import`, `require`, and one that is too old. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, must, shell } from "./run.mjs";

const work = `
  const flamingo = await load();
  try {
    console.log((await flamingo.caption("photo.jpg")).text);
  } finally {
    await flamingo.close();
  }`;

export function tryNodes({ tools, table }, project) {
  writeFileSync(join(project, "import.mjs"), `import { load } from "openflamingo";\n${work}`);
  writeFileSync(
    join(project, "require.cjs"),
    `const { load } = require("openflamingo");\n(async () => {${work}\n})();`,
  );
  const { bin } = JSON.parse(readFileSync(join(project, "node_modules/openflamingo/package.json"), "utf8"));
  const command = `node node_modules/openflamingo/${bin.openflamingo} caption --quiet photo.jpg`;
  const { tooOld, ...supported } = tools.node;
  const optionsOf = (node) => ({ cwd: project, env: environment([node.bin]) });
  for (const node of Object.values(supported)) {
    for (const [what, line] of [
      ["the command", command],
      ["import", "node import.mjs"],
      ["require", "node require.cjs"],
    ]) {
      table.row(what, `Node ${node.version}`, () => {
        const { stdout, stderr, status } = shell(line, optionsOf(node));
        if (status !== 0 || stdout.trim() === "") throw new Error(`exit code ${status}\n${stdout}${stderr}`);
        // Node's and npm's own; what is said of the model is an OpenFlamingoNotice, and right.
        if (/Warning: |npm warn/.test(stderr)) throw new Error(stderr);
      });
    }
  }
  const rejection = new RegExp(`Node ${tooOld.version} is too old`);
  table.row("the command on a Node that is too old", `Node ${tooOld.version}`, () => {
    const { stdout, stderr, status } = shell(command, optionsOf(tooOld));
    const right = status === 1 && stdout === "" && /^openflamingo: /.test(stderr) && rejection.test(stderr);
    if (!right) throw new Error(`exit code ${status}\n${stdout}${stderr}`);
  });
  table.row("load() on a Node that is too old", `Node ${tooOld.version}`, () => {
    const code = `import("openflamingo").then(({ load }) => load()).catch((error) => console.log(error.code, error.message))`;
    const printed = must(`node -e '${code}'`, optionsOf(tooOld));
    if (!/^backend /.test(printed) || !rejection.test(printed)) throw new Error(printed);
  });
}
