/**
 * Where the golden files are: the whole set lies beside the project where it is at hand (as in CI), and a part of it
 * in `test/goldens`, so that the tests run from the repository alone. The bundled model is one of the golden ones, and
 * the bundled photographs are among the golden ones: they are in `assets`.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";

const places = ["../../shared/goldens/", "goldens/", "../assets/"].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

const find = (path: string): string | undefined => places.map((p) => p + path).find((p) => existsSync(p));

/** Whether a golden file is at hand, for sets that are not in the repository. A test that it skips must say so. */
export const hasGolden = (path: string): boolean => find(path) !== undefined;

/** The absolute path of a golden file, e.g. `tiny-openflamingo-9b/checkpoint.pt`. */
export function golden(path: string): string {
  const found = find(path);
  if (found === undefined) throw new Error(`golden file ${path} is neither in ${places.join(" nor in ")}`);
  return found;
}

/** The folder of a golden model, e.g. `tiny-openflamingo-9b`. */
export const goldenModel = (name: string): string => dirname(golden(`${name}/openflamingo.json`));

/** A test that needs a golden file; where that is not at hand it is skipped, and says so. */
export function goldenTest(path: string, name: string, body: () => void | Promise<void>): void {
  if (hasGolden(path)) {
    test(name, body);
    return;
  }
  console.log(`skipped, as goldens/${path} is not at hand: ${name}`);
  test.skip(name, body);
}
