/** The bundled model is found from the package, from a bundle, or not at all, which is a specific error. */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { bundledModel } from "../../src/api/bundledModel.node.js";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "openflamingo-bundled-")));
afterAll(() => rmSync(folder, { recursive: true }));
const model = "assets/tiny-openflamingo";
const notFound = expect.objectContaining({
  code: "model-missing",
  message: "the model that comes with the package cannot be found",
  hint: expect.stringMatching(/bundler.*external.*load\(\)/),
});
const fileIn = (...path: string[]) => pathToFileURL(join(folder, ...path, "file.js")).href;

/** A package in `app/node_modules`, with as much of the model as has to be there. */
const installed = join(folder, "app/node_modules/openflamingo");
mkdirSync(join(installed, model), { recursive: true });
cpSync("package.json", join(installed, "package.json"));
writeFileSync(join(installed, model, "openflamingo.json"), "{}");

test("beside the code: in this repository", () => {
  expect(bundledModel()).toBe(resolve(model));
});

test.each([
  ["the package itself", ["app/node_modules/openflamingo/dist/api"]],
  ["a bundle in the app", ["app"]],
  ["a bundle deep in the app", ["app/out/server/chunks/0"]],
])("from %s the installed package is found, by URL and by path", (_, path) => {
  expect(bundledModel(fileIn(...path))).toBe(join(installed, model));
  expect(bundledModel(join(folder, ...path, "file.cjs"))).toBe(join(installed, model));
});

test("a folder of the name without a model in it is not taken", () => {
  mkdirSync(join(folder, "other", model), { recursive: true });
  expect(() => bundledModel(fileIn("other/dist/api"))).toThrow(notFound);
});

test.each([
  ["a bundle away from the package", fileIn("elsewhere")],
  ["a CommonJS bundle away from the package", join(folder, "elsewhere/file.cjs")],
  ["code that no file holds", ""],
  ["a URL that is no file", "https://example.org/app.js"],
])("%s: the error says what to do", (_, from) => {
  expect(() => bundledModel(from)).toThrow(notFound);
});
