/** Every file of a model with everything that may stand in its place, by both ways on which a model is loaded. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { afterAll, test as base, beforeAll, expect } from "vitest";
import { createModelAndTransforms, load, OpenFlamingoError } from "../../src/index.js";
import { randomModelFolder } from "../goldens.js";
import { rejected } from "../reliability.js";
import { temporaryFolder } from "./fixtures.js";

const isWindows = process.platform === "win32";
if (isWindows)
  console.log("skipped, as Windows lets few make links, and has no pipes in folders: files of a model");
const test = base.skipIf(isWindows);

/** What stands outside the folder: it must not come out. */
const secret = "SECRET-5f2c";
let outside: string;
let folder: string;
const sockets = createServer();
beforeAll(async () => {
  outside = temporaryFolder();
  writeFileSync(join(outside, "secret"), `${secret} {"a":1}`);
  symlinkSync(join(outside, "secret"), join(outside, "hop"));
  await new Promise<void>((done) => void sockets.listen(join(outside, "socket"), done));
  folder = join(temporaryFolder(), "model");
  cpSync(randomModelFolder, folder, { recursive: true });
});
afterAll(() => sockets.close());

interface Trick {
  readonly name: string;
  make(at: string): void;
  readonly says: RegExp;
}
const tricks: readonly Trick[] = [
  {
    name: "a link out",
    make: (at) => symlinkSync(join(outside, "secret"), at),
    says: /is a link that leaves the folder/,
  },
  {
    name: "a chain of links out",
    make: (at) => {
      rmSync(`${at}.next`, { force: true });
      symlinkSync(join(outside, "hop"), `${at}.next`);
      symlinkSync(`${at}.next`, at);
    },
    says: /is a link that leaves the folder/,
  },
  {
    name: "a link to a device",
    make: (at) => symlinkSync("/dev/zero", at),
    says: /is a link that leaves the folder/,
  },
  {
    name: "a link to a socket",
    make: (at) => symlinkSync(join(outside, "socket"), at),
    says: /is a link that leaves/,
  },
  {
    name: "a link to nothing",
    make: (at) => symlinkSync("nothing", at),
    says: /is a link to what is not there/,
  },
  {
    name: "a link to itself",
    make: (at) => symlinkSync(at, at),
    says: /is a link that leads back to itself/,
  },
  { name: "a pipe", make: (at) => execFileSync("mkfifo", [at]), says: /is not a file but a named pipe/ },
  { name: "a folder", make: (at) => mkdirSync(at), says: /is not a file but a folder|holds none of/ },
  {
    name: "a file of 1 GB without content",
    make: (at) => {
      openSync(at, "w");
      truncateSync(at, 2 ** 30);
    },
    says: /takes 1073741824 bytes; at most 16777216 are read|is neither safetensors nor|README/,
  },
];

/** Runs an action that must fail at once, by one of our errors that holds nothing of the secret. */
async function expectRejected(action: () => Promise<unknown>, says: RegExp): Promise<OpenFlamingoError> {
  const started = performance.now();
  const error = await action().then(
    () => new Error("it was accepted"),
    (thrown: unknown) => thrown,
  );
  expect(performance.now() - started, "milliseconds").toBeLessThan(1000);
  if (!(error instanceof OpenFlamingoError)) throw error;
  expect(error.message).toMatch(says);
  expect(inspect(error, { depth: 10 })).not.toContain(secret);
  expect(error.hint).toMatch(/\w/);
  return error;
}

/** Puts something in the place of a file of the model, for one action. */
async function replacing(
  file: string,
  make: (at: string) => void,
  action: () => Promise<void>,
): Promise<void> {
  const at = join(folder, file);
  const kept = join(temporaryFolder(), "kept");
  renameSync(at, kept);
  try {
    make(at);
    await action();
  } finally {
    rmSync(at, { recursive: true, force: true });
    renameSync(kept, at);
  }
}

const clip = () => join(folder, "clip");
const lang = () => join(folder, "lang");
const create = (changed: { clipVisionEncoderPretrained?: string; clipVisionEncoderPath?: string } = {}) =>
  createModelAndTransforms({
    clipVisionEncoderPath: clip(),
    clipVisionEncoderPretrained: join(clip(), "open_clip_pytorch_model.bin"),
    langEncoderPath: lang(),
    tokenizerPath: lang(),
    crossAttnEveryNLayers: 4,
    ...changed,
  });

const described = ["clip/open_clip_config.json", "lang/config.json", "lang/tokenizer.json"];
const besides = ["lang/special_tokens_map.json", "lang/tokenizer_config.json"];
const shards = ["lang/pytorch_model.bin.index.json", "lang/pytorch_model-00002-of-00002.bin"];
const weights = ["clip/open_clip_pytorch_model.bin", "checkpoint.pt"];
const files = {
  load: ["openflamingo.json", "README.md", ...described, ...besides, ...shards, ...weights],
  createModelAndTransforms: [...described, ...besides, "lang/generation_config.json", ...shards],
};

for (const { name, make, says } of tricks) {
  for (const file of files.load) {
    if (file === "README.md" && name.includes("1 GB")) continue; // its place is looked for, it is not read
    test(`load: ${name} in place of ${file}`, async () => {
      await replacing(file, make, async () => {
        const error = await expectRejected(() => load(folder), says);
        expect(error.message).toContain(file.split("/").at(-1));
        if (/config.json|checkpoint/.test(file) && !file.startsWith("clip")) {
          rejected("Files of a model", `${name}, in place of ${file}`, error.code);
        }
      });
    });
  }
  for (const file of files.createModelAndTransforms) {
    test(`createModelAndTransforms: ${name} in place of ${file}`, async () => {
      await replacing(file, make, async () => {
        const error = await expectRejected(create, says);
        expect(error.message).toContain(file.split("/").at(-1));
      });
    });
  }
}

test("the CLIP tokenizer, which is read when texts are embedded, is guarded as well", async () => {
  const flamingo = await load(folder);
  try {
    for (const { make, says } of tricks) {
      const at = join(clip(), "tokenizer.json");
      make(at);
      await expectRejected(() => flamingo.embed({ texts: ["a"] }), says);
      rmSync(at, { recursive: true });
    }
  } finally {
    await flamingo.close();
  }
});

test("an index in place of a single file, and shards by links, are guarded as well", async () => {
  for (const candidate of ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]) {
    for (const { name, make, says } of tricks) {
      const at = join(lang(), candidate);
      make(at);
      await expectRejected(() => load(folder), name === "a folder" ? /is not a file but a folder/ : says);
      rmSync(at, { recursive: true });
    }
  }
});

test("a folder of the model that is a link out is not entered", async () => {
  for (const part of ["clip", "lang"]) {
    const makeLink = (at: string) => {
      cpSync(join(randomModelFolder, part), join(outside, part), { recursive: true });
      symlinkSync(join(outside, part), at);
    };
    await replacing(part, makeLink, async () => {
      await expectRejected(() => load(folder), /is a link that leaves the folder/);
    });
  }
});

const paths: readonly [path: string, says: string][] = [
  ["../secret", "leaves the folder"],
  ["lang/../../secret", "leaves the folder"],
  ["/etc/passwd", "is absolute"],
  ["C:/secret", "is absolute"],
  ["lang\\config.json", "uses \\ where / is wanted"],
  ["..\\..\\secret", "uses \\ where / is wanted"],
  ["lang/config.json\0", "is no path"],
  ["lang/\u202egnosj.gifnoc", "holds characters that are not shown"],
];
const keys = [
  "vision.config",
  "vision.weights",
  "language.config",
  "language.weights",
  "language.tokenizer",
  "flamingo.checkpoint",
  "card",
];
test.each(paths)(
  "the path %j is rejected in each key of openflamingo.json and in an index",
  async (path, says) => {
    const text = readFileSync(join(folder, "openflamingo.json"), "utf8");
    const pattern = new RegExp(says.replaceAll("\\", "\\\\"));
    for (const key of keys) {
      const json = JSON.parse(text);
      const [outer, inner] = key.split(".") as [string, string | undefined];
      if (inner === undefined) json[outer] = path;
      else json[outer][inner] = path;
      const write = (at: string) => writeFileSync(at, JSON.stringify(json));
      await replacing("openflamingo.json", write, async () => {
        const error = await expectRejected(() => load(folder), pattern);
        expect(error.message).toContain(key);
      });
    }
    const index = { weight_map: { w: path } };
    const write = (at: string) => writeFileSync(at, JSON.stringify(index));
    await replacing("lang/pytorch_model.bin.index.json", write, async () => {
      await expectRejected(() => load(folder), pattern);
      await expectRejected(create, pattern);
    });
  },
);

test("a path that the caller names may be a link, not something other than a file", async () => {
  const at = join(outside, "named");
  const { model } = await create();
  try {
    for (const [make, says] of [
      [(path) => execFileSync("mkfifo", [path]), /is not a file but a named pipe/],
      [(path) => symlinkSync("/dev/zero", path), /is not a file but a device/],
      [(path) => symlinkSync(join(outside, "socket"), path), /is not a file but a socket/],
      [(path) => mkdirSync(path), /holds none of model\.safetensors|is not a file but a folder/],
      [(path) => symlinkSync("nothing", path), /is a link to what is not there/],
      [() => {}, /there is no such file|cannot be read: it is not there/],
    ] satisfies [(path: string) => void, RegExp][]) {
      make(at);
      await expectRejected(() => create({ clipVisionEncoderPretrained: at }), says);
      await expectRejected(() => model.loadStateDict(at), says);
      rmSync(at, { recursive: true, force: true });
      make(`${at}.json`);
      await expectRejected(() => create({ clipVisionEncoderPath: `${at}.json` }), says);
      rmSync(`${at}.json`, { recursive: true, force: true });
    }
    symlinkSync(join(folder, "checkpoint.pt"), at);
    await model.loadStateDict(at, { strict: false });
  } finally {
    await model.close();
  }
});

test("every path that the caller names may be a link", async () => {
  const named = temporaryFolder();
  const link = (file: string) => {
    const at = join(named, `to-${file.replace("/", "-")}`);
    symlinkSync(join(folder, file), at);
    return at;
  };
  const { model } = await createModelAndTransforms({
    clipVisionEncoderPath: link("clip/open_clip_config.json"),
    clipVisionEncoderPretrained: link("clip/open_clip_pytorch_model.bin"),
    langEncoderPath: link("lang"),
    tokenizerPath: join(named, "to-lang"),
    crossAttnEveryNLayers: 4,
  });
  await model.loadStateDict(link("checkpoint.pt"), { strict: false });
  await model.close();
  const flamingo = await load(link("."));
  await flamingo.close();
});

test("weights that are missing or no weights are reported before anything is loaded", async () => {
  await expectRejected(
    () => create({ clipVisionEncoderPretrained: "./none.bin" }),
    /none\.bin: there is no such file/,
  );
  await expectRejected(
    () => create({ clipVisionEncoderPretrained: join(clip(), "open_clip_config.json") }),
    /open_clip_config\.json: is neither safetensors nor a torch archive/,
  );
  await replacing(
    "lang/pytorch_model.bin.index.json",
    () => {},
    async () => {
      await expectRejected(create, /holds none of model\.safetensors/);
    },
  );
});

/** A hub cache of the model: what is a file in `of` is a link to a blob, or a file where links are not made. */
function hubCache(of: string, withLinks = true): string {
  const cache = join(temporaryFolder(), "hub/models--openflamingo--tiny");
  const snapshot = join(cache, "snapshots/0a1b2c");
  mkdirSync(join(cache, "blobs"), { recursive: true });
  const list = execFileSync("find", [".", "-type", "f"], { cwd: of, encoding: "utf8" }).trim().split("\n");
  for (const [i, file] of list.entries()) {
    const at = join(snapshot, file);
    mkdirSync(dirname(at), { recursive: true });
    const up = "../".repeat(file.split("/").length);
    cpSync(join(of, file), withLinks ? join(cache, `blobs/${i}`) : at);
    if (withLinks) symlinkSync(`${up}blobs/${i}`, at);
  }
  return snapshot;
}

test.each([
  ["with links to blobs", true],
  ["on a disk without links", false],
])("a model in a hub cache %s is loaded by both ways", async (_, withLinks) => {
  const snapshot = hubCache(randomModelFolder, withLinks);
  const flamingo = await load(snapshot);
  await flamingo.close();
  const { model } = await createModelAndTransforms({
    clipVisionEncoderPath: join(snapshot, "clip"),
    clipVisionEncoderPretrained: join(snapshot, "clip/open_clip_pytorch_model.bin"),
    langEncoderPath: join(snapshot, "lang"),
    tokenizerPath: join(snapshot, "lang"),
    crossAttnEveryNLayers: 4,
  });
  await model.loadStateDict(join(snapshot, "checkpoint.pt"), { strict: false });
  await model.close();
});
