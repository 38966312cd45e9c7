import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.js";
import { readModelFolder } from "../../src/checkpoints/modelFolder.node.js";
import { goldenModel, goldenTest } from "../goldens.js";
import { expectError, folderOf, temporaryFolder } from "./fixtures.js";

const whole = {
  format: "openflamingo-model",
  version: 1,
  name: "test",
  words: "random",
  vision: { config: "clip/config.json", weights: "clip/model.bin" },
  language: { config: "lang/config.json", weights: "lang", tokenizer: "lang/tokenizer.json" },
  flamingo: { checkpoint: "checkpoint.pt", crossAttentionEvery: 4 },
};

/** A model folder with these parts and this description. */
function modelFolder(description: object | string): string {
  const folder = folderOf({ "checkpoint.pt": "", "README.md": "" });
  for (const part of ["clip", "lang"]) mkdirSync(join(folder, part));
  for (const file of ["clip/config.json", "clip/model.bin", "lang/config.json", "lang/tokenizer.json"]) {
    writeFileSync(join(folder, file), "");
  }
  const text = typeof description === "string" ? description : JSON.stringify(description);
  writeFileSync(join(folder, "openflamingo.json"), text);
  return folder;
}

for (const name of ["tiny-openflamingo-9b", "tiny-openflamingo-3b", "tiny-openflamingo-4b"]) {
  goldenTest(`${name}/openflamingo.json`, `${name}: its folder is read`, async () => {
    const folder = goldenModel(name);
    expect(await readModelFolder(folder)).toMatchObject({
      folder: resolve(folder),
      name,
      words: "random",
      language: { weights: join(folder, "lang"), tokenizer: join(folder, "lang/tokenizer.json") },
      flamingo: { checkpoint: join(folder, "checkpoint.pt") },
      licence: "MIT",
      card: join(folder, "README.md"),
    });
  });
}

test("what is optional may be there, and paths become absolute", async () => {
  const prompt = "An image of";
  const folder = modelFolder({
    ...whole,
    card: "./README.md",
    licence: "MIT",
    prompt,
    generation: { maxNewTokens: 30, stop: ["."] },
  });
  expect(await readModelFolder(folder)).toEqual({
    folder,
    name: "test",
    words: "random",
    vision: { config: join(folder, "clip/config.json"), weights: join(folder, "clip/model.bin") },
    language: {
      config: join(folder, "lang/config.json"),
      weights: join(folder, "lang"),
      tokenizer: join(folder, "lang/tokenizer.json"),
    },
    flamingo: { checkpoint: join(folder, "checkpoint.pt"), crossAttentionEvery: 4 },
    licence: "MIT",
    card: join(folder, "README.md"),
    prompt,
    generation: { maxNewTokens: 30, stop: ["."] },
  });
});

const { words: _, ...wordless } = whole;
const { vision: __, ...blind } = whole;
const card = (path: string) => ({ ...whole, card: path });
const bad: [what: string, description: object | string, message: string, code?: ErrorCode][] = [
  ["no JSON", "name: test", "is not valid JSON"],
  ["a list", "[]", "must be a JSON object"],
  ["a key twice", '{"format":1,"format":2}', 'holds the name "format" twice'],
  ["another format", { ...whole, format: "gguf" }, 'format is "gguf"; it must be "openflamingo-model"'],
  ["no format", { version: 1 }, "format is missing"],
  [
    "another version",
    { ...whole, version: 2 },
    "is of version 2; this program reads version 1",
    "model-unsupported",
  ],
  ["a version as text", { ...whole, version: "1" }, 'version is "1"; it must be an integer from 1 to'],
  ["a prepared folder that has checkpoints", { ...whole, prepared: {} }, '"vision.weights" is no key'],
  [
    "a prepared folder of another version",
    { ...whole, prepared: { version: 2 } },
    "was prepared in version 2",
    "model-unsupported",
  ],
  ["an unknown key", { ...whole, visoin: {} }, '"visoin" is no key of this file'],
  ["an unknown key inside", { ...whole, vision: { ...whole.vision, size: 3 } }, '"vision.size" is no key'],
  ["the key __proto__", JSON.stringify(whole).replace("{", '{"__proto__":{},'), '"__proto__" is no key'],
  ["the key toString", { ...whole, toString: 1 }, '"toString" is no key'],
  ["no words", wordless, "words is missing"],
  ["other words", { ...whole, words: "wise" }, 'words is "wise"; it must be "random" or "trained"'],
  ["no name", { ...whole, name: "" }, 'name is ""; it must be a string that is not empty'],
  ["no vision", blind, "vision is missing"],
  ["vision that is text", { ...whole, vision: "clip" }, 'vision is "clip"; it must be an object'],
  ["no weights", { ...whole, vision: { config: "clip/config.json" } }, "vision.weights is missing"],
  ["a path that is a number", { ...whole, card: 7 }, "card is 7; it must be a string that is not empty"],
  [
    "an interval of 0",
    { ...whole, flamingo: { ...whole.flamingo, crossAttentionEvery: 0 } },
    "crossAttentionEvery is 0; it must be an integer from 1 to 96",
  ],
  ["a prompt that is no text", { ...whole, prompt: {} }, "prompt is {}; it must be a string"],
  ["a default that is none", { ...whole, generation: { beams: 3 } }, '"generation.beams" is no key'],
  [
    "a default of another type",
    { ...whole, generation: { stop: "." } },
    'generation.stop is "."; it must be a list',
  ],
  ["an absolute path", card("/etc/passwd"), 'card "/etc/passwd" is absolute'],
  ["a drive's path", card("C:/model"), 'card "C:/model" is absolute'],
  ["a path with \\", card("..\\README.md"), "uses \\ where / is wanted"],
  ["a path that leaves the folder", card("../README.md"), 'card "../README.md" leaves the folder'],
  ["a path that leaves and comes back", card("lang/../../x"), "leaves the folder"],
  ["a path with a zero byte", card("README.md\0"), "is no path"],
  ["a path to nothing", card("CARD.md"), 'card "CARD.md" is not there'],
];
for (const [what, description, message, code = "model-invalid"] of bad) {
  test(`${what}: rejected with a specific error`, async () => {
    await expectError(() => readModelFolder(modelFolder(description)), code, "openflamingo.json: ", message);
  });
}

test("all faults come in one error", async () => {
  const description = { ...blind, words: "wise", extra: 1 };
  const action = () => readModelFolder(modelFolder(description));
  await expectError(action, "model-invalid", '"extra" is no key', "words is", "vision is missing");
  const unfound = { ...whole, card: "a.md", flamingo: { checkpoint: "b.pt", crossAttentionEvery: 1 } };
  await expectError(
    () => readModelFolder(modelFolder(unfound)),
    "model-invalid",
    '"a.md" is not',
    '"b.pt" is not',
  );
});

test("a link that leaves the folder is rejected, one inside it is followed", async () => {
  const folder = modelFolder(card("card.md"));
  symlinkSync(join(temporaryFolder(), ".."), join(folder, "card.md"));
  await expectError(
    () => readModelFolder(folder),
    "model-invalid",
    '"card.md" is a link that leaves the folder',
  );
  rmSync(join(folder, "card.md"));
  symlinkSync("README.md", join(folder, "card.md"));
  expect((await readModelFolder(folder)).card).toBe(join(folder, "card.md"));
});

test("a folder that is a link itself is read", async () => {
  const link = join(temporaryFolder(), "link");
  symlinkSync(modelFolder(whole), link);
  expect((await readModelFolder(link)).folder).toBe(link);
});

test("what is no model folder is rejected with a specific error", async () => {
  const folder = folderOf({ file: "" });
  await expectError(() => readModelFolder(join(folder, "none")), "model-missing", "there is no such folder");
  await expectError(() => readModelFolder(join(folder, "file")), "model-missing", "is not a folder");
  const name = "openflamingo/OpenFlamingo-9B-vitl-mpt7b";
  const error = await expectError(() => readModelFolder(name), "model-missing", "there is no such folder");
  expect(error.hint).toContain("the name of a released one");
});

test("for a folder without a description the error prints the file to write, and that file is right", async () => {
  const folder = join(temporaryFolder(), "OpenFlamingo-9B");
  cpSync(modelFolder(whole), folder, { recursive: true });
  rmSync(join(folder, "openflamingo.json"));
  writeFileSync(join(folder, "clip/open_clip_config.json"), "");
  writeFileSync(join(folder, "clip/open_clip_pytorch_model.pt"), "");
  const error = await expectError(
    () => readModelFolder(folder),
    "model-invalid",
    "openflamingo.json is not there",
  );
  writeFileSync(join(folder, "openflamingo.json"), error.hint!.slice(error.hint!.indexOf("{")));
  expect(await readModelFolder(folder)).toMatchObject({
    name: "OpenFlamingo-9B",
    vision: { weights: join(folder, "clip/open_clip_pytorch_model.pt") },
    flamingo: { crossAttentionEvery: 4 },
  });
});

test("a description that is a folder, or far too long, is rejected with a specific error", async () => {
  const folder = modelFolder(whole);
  rmSync(join(folder, "openflamingo.json"));
  mkdirSync(join(folder, "openflamingo.json"));
  await expectError(() => readModelFolder(folder), "model-invalid", "openflamingo.json is not a file");
  const long = modelFolder(" ".repeat(17 * 2 ** 20));
  await expectError(() => readModelFolder(long), "model-invalid", "takes 17825792 bytes");
});
