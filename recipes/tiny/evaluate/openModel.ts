/** A model for evaluation: it reads and encodes an image once for all that it is asked about it. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundledModel } from "../../../src/api/bundledModel.node.js";
import { createFlamingo } from "../../../src/api/createFlamingo.js";
import type { Flamingo } from "../../../src/api/flamingo.js";
import { openNamed } from "../../../src/api/load.node.js";
import type { LoadOptions } from "../../../src/api/loadOptions.js";

/**
 * As `load`; what belongs to an image is kept as long as the caller has the bytes of its file.
 *
 * @param folder Default: the model that comes with the package
 * @throws OpenFlamingoError as `load`
 */
export async function openForEvaluation(folder?: string, options?: LoadOptions): Promise<Flamingo> {
  const parts = await openNamed(folder, options);
  const { runner, readImage } = parts;
  return createFlamingo({
    ...parts,
    readImage: oncePerObject((source, signal) => readImage(source, signal)),
    runner: { ...runner, encode: oncePerObject((pixels, how) => runner.encode(pixels, how)) },
  });
}

/** Keeps the results of a function as long as its argument lives; what fails is tried again. */
function oncePerObject<Source, Options, Result>(
  make: (source: Source, options: Options) => Promise<Result>,
): (source: Source, options: Options) => Promise<Result> {
  const made = new WeakMap<object, Promise<Result>>();
  return (source, options) => {
    if (typeof source !== "object" || source === null) return make(source, options);
    const known = made.get(source);
    if (known) return known;
    const result = make(source, options);
    made.set(source, result);
    result.catch(() => made.delete(source));
    return result;
  };
}

/** SHA-256 of all files of a model's folder with their names, but for its card: another model has another one. */
export async function digestOf(folder: string = bundledModel()): Promise<string> {
  const digest = createHash("sha256");
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = files
    .filter((file) => file.isFile() && !file.name.endsWith(".md"))
    .map((file) => join(file.parentPath, file.name));
  for (const path of paths.sort()) {
    const content = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    digest.update(`${path.slice(folder.length)}\n${content}\n`);
  }
  return digest.digest("hex").slice(0, 16);
}
