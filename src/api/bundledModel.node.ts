/** Where the model is that comes with the package. */
import { existsSync } from "node:fs";
import nodeModule from "node:module"; // not { createRequire }: webpack replaces its calls by its own require
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { OpenFlamingoError } from "../base/errors.js";

/** What everybody should know who names no model. */
export const aboutBundledModel =
  "no model is named, so the small one answers that comes with the package: it names drawn things, half of them right, and " +
  "guesses at photographs; its card is assets/tiny-openflamingo/README.md";

/**
 * The folder of the model that comes with the package: two folders above this file or, where a bundler has moved this
 * code, in the package as Node finds it from there.
 *
 * The path is made when it is asked for, and not as `new URL("…", import.meta.url)`: bundlers take that for a file to
 * copy, and webpack fails because it is a folder.
 *
 * @param from the file that this code is in, as a URL or a path; a bundle in CommonJS has no `import.meta.url`, and
 *   there it is the program's file
 * @throws OpenFlamingoError "model-missing" where it is in neither place
 */
export function bundledModel(from: string | undefined = here()): string {
  for (const root of from ? [above(from), installed(from)] : []) {
    const folder = join(root ?? "", "assets", "tiny-openflamingo");
    if (root !== undefined && existsSync(join(folder, "openflamingo.json"))) return folder;
  }
  throw new OpenFlamingoError("model-missing", "the model that comes with the package cannot be found", {
    hint:
      "If a bundler put openflamingo into another file, leave it external (docs/bundlers.md in the package tells " +
      "how), or give load() the folder of a model.",
  });
}

const here = () => (import.meta.url as string | undefined) ?? process.argv[1];

function above(from: string): string | undefined {
  const file = from.startsWith("file:") ? fileURLToPath(from) : from;
  return isAbsolute(file) ? join(dirname(file), "..", "..") : undefined;
}

/** The root of the package as Node finds it from a file. */
function installed(from: string): string | undefined {
  try {
    return dirname(nodeModule.createRequire(from).resolve("openflamingo/package.json"));
  } catch {
    return undefined;
  }
}
