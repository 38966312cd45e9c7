/** The bundled model's programs are made by the build, are those of this code, and are used; anything else is ignored. */
import { mkdtempSync, realpathSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { bundledModel } from "../../src/api/bundledModel.node.js";
import {
  bundledProgramsFile,
  readBundledPrograms,
  writeBundledPrograms,
} from "../../src/api/bundledPrograms.node.js";
import { readConfigs } from "../../src/api/configs.js";
import { openModel } from "../../src/api/load.js";
import { node } from "../../src/api/platform.node.js";
import { readModelFolder } from "../../src/checkpoints/modelFolder.node.js";
import type { Compiled } from "../../src/onnx/compile.js";
import { programKey, programsOf } from "../../src/runner/modelRunner.js";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "openflamingo-programs-")));
afterAll(() => rmSync(folder, { recursive: true }));

const description = await readModelFolder(bundledModel());
const { config } = await readConfigs(node, description, undefined);
const key = programKey(config, "fp32");
const compiled = programsOf(config);
const sizes = new Map(
  ["N", "b", "t", "images", "s", "w", "total", "capacity"].map((name, i) => [name, i + 2]),
);
/** Programs as they can be compared: an expression of sizes by its words and a value of it. */
const plain = (programs: readonly Compiled[] | undefined) =>
  programs?.map(({ program, weights }) => ({
    ...program,
    weights,
    ports: [...program.inputs, ...program.outputs].map(({ shape }) =>
      shape.map((size) => (typeof size === "object" ? `${size} = ${size.evaluate(sizes)}` : size)),
    ),
    inputs: program.inputs.map(({ name, dtype }) => [name, dtype]),
    outputs: program.outputs.map(({ name, dtype }) => [name, dtype]),
  }));

test("the build's are those that this code compiles", async () => {
  const built = await readBundledPrograms(resolve("dist/api/bundledPrograms.json"), key);
  expect(plain(built)).toEqual(plain(compiled));
});

test("run from its source, this code has none that could be of other code", async () => {
  expect(bundledProgramsFile()).toBe(resolve("src/api/bundledPrograms.json"));
  expect(await readBundledPrograms(bundledProgramsFile(), key)).toBeUndefined();
});

test("they are for one model in one format, and ignored where they are damaged", async () => {
  const file = join(folder, "programs.json");
  await writeBundledPrograms(file, key, compiled);
  expect(plain(await readBundledPrograms(file, key))).toEqual(plain(compiled));
  expect(await readBundledPrograms(file, programKey(config, "int4"))).toBeUndefined();
  expect(
    await readBundledPrograms(file, programKey({ ...config, crossAttentionEvery: 3 }, "fp32")),
  ).toBeUndefined();
  truncateSync(file, 50_000);
  expect(await readBundledPrograms(file, key)).toBeUndefined();
  expect(await readBundledPrograms(undefined, key)).toBeUndefined();
});

test("what two models differ in is in their keys: the language model's own configuration too", () => {
  const { language } = config;
  const other = { ...language, madeOf: { mpt: { ...(language.madeOf.mpt as object), alibiMax: 16 } } };
  expect(programKey({ ...config, language: other }, "fp32")).not.toBe(key);
  expect(language.madeOf).toMatchObject({ mpt: { alibiMax: 8 }, names: { up: "up_proj" } });
});

test("a model that is opened takes the programs of its key", async () => {
  const asked: string[] = [];
  const platform = {
    ...node,
    async compiledPrograms(key: string) {
      asked.push(key);
      return compiled;
    },
  };
  const opened = await openModel(platform, description, { onNotice: () => {} });
  try {
    expect(asked).toEqual([key]);
    expect(opened.runner.weightUses[1]).toBe(compiled[1]!.weights);
  } finally {
    await opened.close();
  }
});
