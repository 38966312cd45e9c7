/**
 * Where the golden files are: the whole set lies beside the project where it is at hand (as in CI), and a part of it
 * in `test/goldens`, so that the tests run from the repository alone. The bundled model is one of the golden ones, and
 * the bundled photographs are among the golden ones: they are in `assets`.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const places = ["../../shared/goldens/", "goldens/", "../assets/"].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

const find = (path: string): string | undefined => places.map((p) => p + path).find((p) => existsSync(p));

/** Whether a golden file is at hand, for sets that are not in the repository. A test that it skips must say so. */
export const hasGolden = (path: string): boolean => find(path) !== undefined;

/** The absolute path of a golden file or folder, e.g. `tiny-openflamingo-9b/checkpoint.pt`. */
export function golden(path: string): string {
  const found = find(path);
  if (found === undefined) throw new Error(`golden file ${path} is neither in ${places.join(" nor in ")}`);
  return found;
}
