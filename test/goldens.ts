/**
 * Where the golden files are. `OPENFLAMINGO_GOLDENS=DIR`, absolute or relative to the working directory, names a set,
 * which is then the only one; tests of what it lacks are skipped, and say so. Without it, the whole set lies beside the
 * project where it is at hand (as in CI), and a part of it in `test/goldens`, so that the tests run from the repository
 * alone. The bundled photographs are among the golden ones: they are in `assets`.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";

const assets = fileURLToPath(new URL("../assets/", import.meta.url));
const own = ["../../shared/goldens/", "goldens/"].map((place) =>
  fileURLToPath(new URL(place, import.meta.url)),
);

/** The set that the caller named, if one. */
export const givenGoldens: string | undefined =
  process.env.OPENFLAMINGO_GOLDENS && resolve(process.env.OPENFLAMINGO_GOLDENS);
if (givenGoldens && !existsSync(givenGoldens)) {
  throw new Error(`OPENFLAMINGO_GOLDENS: there is no folder ${givenGoldens}`);
}

const places = givenGoldens ? [givenGoldens] : [...own, assets];
/** Photographs and others' tokenizers belong to no model: a set without them is tested with those of the project. */
const belongToNone = /^(photos(\/|$)|tokenizer\/[^/]*\.tokenizer\.json)/;
const placesOf = (path: string) => (belongToNone.test(path) ? [...places, ...own, assets] : places);

const find = (path: string): string | undefined =>
  placesOf(path)
    .map((place) => join(place, path))
    .find((file) => existsSync(file));

/** Whether a golden file is at hand, for sets that are not in the repository. A test that it skips must say so. */
export const hasGolden = (path: string): boolean => find(path) !== undefined;

/** The absolute path of a golden file, e.g. `tiny-openflamingo-9b/checkpoint.pt`. */
export function golden(path: string): string {
  const found = find(path);
  if (found === undefined)
    throw new Error(`golden file ${path} is neither in ${placesOf(path).join(" nor in ")}`);
  return found;
}

/** The folder of a golden model, e.g. `tiny-openflamingo-9b`. */
export const goldenModel = (name: string): string => dirname(golden(`${name}/openflamingo.json`));

/** The names of the golden models: the three of the form, and any other of a set that the caller named. */
export function goldenModels(): readonly string[] {
  const found = givenGoldens ? readdirSync(givenGoldens) : [];
  const tiny = found.filter((name) => name.startsWith("tiny-openflamingo-")).sort();
  return [...new Set([...["9b", "3b", "4b"].map((size) => `tiny-openflamingo-${size}`), ...tiny])];
}

/** A tiny model of random weights, of the 9B's form: in the repository, whichever golden set the caller named. */
export const randomModelFolder = fileURLToPath(new URL("goldens/tiny-openflamingo-9b", import.meta.url));

/** Writes and returns why tests are skipped for want of golden files. */
function missing(paths: readonly string[], what: string): string {
  const reason = `skipped, as goldens/${paths.join(", goldens/")} is not at hand: ${what}`;
  console.log(reason);
  return reason;
}

/** A test that needs a golden file; where that is not at hand it is skipped, and says so. */
export function goldenTest(path: string, name: string, body: () => void | Promise<void>): void {
  if (hasGolden(path)) {
    test(name, body);
    return;
  }
  missing([path], name);
  test.skip(name, body);
}

/** Those of several things whose golden files are at hand; in the place of each other stands a test that is skipped. */
export const atHand = <T>(all: readonly T[], filesOf: (one: T) => readonly string[], what: string) =>
  all.filter((one) => {
    const lacking = filesOf(one).filter((path) => !hasGolden(path));
    if (lacking.length > 0) test.skip(missing(lacking, what));
    return lacking.length === 0;
  });
