/**
 * The compiled programs of the model that comes with the package. `npm run build` writes them beside this file's
 * compiled form, so that they are always those of the code that they lie beside; run from its source, the program
 * has none and compiles its own.
 */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Compiled, type CompiledGraph, programFrom } from "../onnx/compile.js";

/** The file that the build makes; undefined where this code is in no file of its own. */
export function bundledProgramsFile(): string | undefined {
  const here = import.meta.url as string | undefined; // a bundle in CommonJS has none
  const file = here?.startsWith("file:") ? fileURLToPath(here) : undefined;
  return file && isAbsolute(file) ? join(dirname(file), "bundledPrograms.json") : undefined;
}

/** @param key all that the programs depend on, besides this code: see `programKey` */
export async function writeBundledPrograms(
  file: string,
  key: string,
  programs: readonly Compiled[],
): Promise<void> {
  const graphs = programs.map(({ graph }) => ({
    ...graph,
    model: Buffer.from(graph.model).toString("base64"),
  }));
  await writeFile(file, JSON.stringify({ key, graphs }));
}

/** @returns undefined where there are none for this key, or none that can be read */
export async function readBundledPrograms(
  file: string | undefined,
  key: string,
): Promise<readonly Compiled[] | undefined> {
  if (file === undefined) return undefined;
  try {
    const found = JSON.parse(await readFile(file, "utf8")) as {
      readonly key: string;
      readonly graphs: readonly (Omit<CompiledGraph, "model"> & { readonly model: string })[];
    };
    if (found.key !== key) return undefined;
    return found.graphs.map(({ model, ...graph }) =>
      programFrom({ ...graph, model: Uint8Array.from(Buffer.from(model, "base64")) }),
    );
  } catch {
    return undefined; // without it a model opens a little later
  }
}
