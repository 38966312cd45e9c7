/** Whole models by their names: the bundled one, served by a hub on this machine as if it were a released one. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { fetchModel, type HubModel, isHubName, requireReleased } from "../../src/api/hubModel.node.js";
import { loadModel } from "../../src/api/load.js";
import { node } from "../../src/api/load.node.js";
import { clipFile } from "../../src/hub/clip.node.js";
import { createModelAndTransforms, hfHubDownload, load } from "../../src/index.js";
import { bundledModelFolder, golden } from "../goldens.js";
import { cacheFolder, commitA, hubOptions, type ServedFile, sha256, startHub } from "./server.js";

const photo = golden("photos/chelsea.png");
const read = (file: string) => readFile(join(bundledModelFolder, file));
const clipName = "ViT-tiny.bin";

/** A hub that has the model in two repositories, and a cache with its vision encoder. */
async function served(change: (language: Record<string, ServedFile>) => void = () => {}) {
  const names = (await readdir(join(bundledModelFolder, "lang"))).filter((name) => name !== "README.md");
  const language: Record<string, ServedFile> = {};
  for (const name of names) {
    language[name] = { bytes: await read(`lang/${name}`), isLarge: name.endsWith(".bin") };
  }
  change(language);
  const checkpoint = { bytes: await read("checkpoint.pt"), isLarge: true };
  const hub = await startHub({
    "openflamingo/tiny": { commit: commitA, files: { "checkpoint.pt": checkpoint } },
    "someone/language": { commit: commitA, files: language },
  });
  onTestFinished(() => hub.close());
  const cache = await cacheFolder();
  const clip = await read("clip/open_clip_pytorch_model.bin");
  await mkdir(join(cache, "clip"));
  await writeFile(join(cache, "clip", clipName), clip);
  const model: HubModel = {
    name: "openflamingo/tiny",
    language: "someone/language",
    crossAttentionEvery: 4,
    clip: { name: clipName, address: `${hub.endpoint}/clip`, sha256: sha256(clip), size: clip.length },
    visionJson: JSON.parse((await read("clip/open_clip_config.json")).toString()),
  };
  return { hub, cache, model, options: hubOptions(hub, cache) };
}

test("a model is fetched, answers as from its folder, and is not asked for again", async () => {
  const { hub, model, options } = await served();
  const files: string[] = [];
  const description = await fetchModel(model, options, { onFile: (file) => files.push(file) });
  expect(files).toEqual(expect.arrayContaining(["checkpoint.pt", "config.json", "tokenizer.json", clipName]));
  const captionOf = async (flamingo: Awaited<ReturnType<typeof load>>) => {
    const { ids } = await flamingo.caption(photo);
    await flamingo.close();
    return ids;
  };
  const quiet = { onNotice: () => {} };
  const expected = await captionOf(await load(undefined, quiet));
  expect(await captionOf(await loadModel(node, description, quiet))).toEqual(expected);

  const before = hub.requests.length;
  await fetchModel(model, { ...options, preferCache: true });
  expect(hub.requests.length).toBe(before);
});

test.each([
  [
    "its tokenizer",
    (files: Record<string, ServedFile>) => delete files["tokenizer.json"],
    "does not have tokenizer.json",
  ],
  [
    "its weights",
    (files: Record<string, ServedFile>) => delete files["pytorch_model.bin.index.json"],
    "does not have any of model.safetensors",
  ],
  [
    "a shard by a name that leaves the folder",
    (files: Record<string, ServedFile>) => {
      const bytes = Buffer.from(JSON.stringify({ weight_map: { a: "../../secret.bin" } }));
      files["pytorch_model.bin.index.json"] = { bytes };
    },
    'names the shard "../../secret.bin"',
  ],
])("a repository that lacks %s, or has it wrong, is rejected", async (_, change, message) => {
  const { model, options } = await served((files) => void change(files));
  await expect(fetchModel(model, options)).rejects.toMatchObject({
    code: expect.stringMatching(/^model-/),
    message: expect.stringContaining(message),
  });
});

test("a vision encoder is taken by its hash alone", async () => {
  const { model, cache, options } = await served();
  await writeFile(join(cache, "clip", clipName), "another file");
  await expect(clipFile(options, model.clip)).rejects.toMatchObject({
    code: "checkpoint-damaged",
    message: expect.stringContaining("is not the file that was published"),
  });
  const other = { ...model.clip, name: "other.bin" };
  const offline = { ...options, settings: { ...options.settings, isOffline: true } };
  await expect(clipFile(offline, other)).rejects.toMatchObject({
    code: "network",
    hint: expect.stringContaining(join(cache, "clip/other.bin")),
  });
  // Its address is on this machine, where only the hub's own endpoint may be.
  await expect(clipFile({ ...options, retrySeconds: 0.001 }, other)).rejects.toMatchObject({
    code: "network",
    message: expect.stringContaining("is not public"),
    hint: expect.stringContaining("by hand"),
  });
});

test("a name that is none of the released models says which was meant", async () => {
  expect(await isHubName("openflamingo/OpenFlamingo-9B-vitl-mpt7b")).toBe(true);
  expect(await isHubName("test/hub")).toBe(false); // a folder that is there
  expect(await isHubName("./models/mine")).toBe(false);
  expect(() => requireReleased("openflamingo/OpenFlamingo-9B-vitl-mpt7")).toThrow("none of the models");
  await expect(load("openflamingo/OpenFlamingo-9B")).rejects.toMatchObject({
    code: "model-missing",
    hint: expect.stringContaining("openflamingo/OpenFlamingo-"),
  });
});

test("the environment says where the hub is; a file and a language model come from there", async () => {
  const { hub, cache, model } = await served();
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  vi.stubEnv("HF_HUB_CACHE", cache);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const checkpoint = await hfHubDownload(model.name, "checkpoint.pt");
  expect(await readFile(checkpoint)).toEqual(await read("checkpoint.pt"));
  await expect(hfHubDownload(model.name, "none.pt")).rejects.toMatchObject({
    code: "network",
    message: expect.stringContaining("has no file none.pt"),
  });
  const { model: created, tokenizer } = await createModelAndTransforms({
    clipVisionEncoderPath: join(bundledModelFolder, "clip"),
    clipVisionEncoderPretrained: join(bundledModelFolder, "clip/open_clip_pytorch_model.bin"),
    langEncoderPath: model.language,
    tokenizerPath: model.language,
    crossAttnEveryNLayers: 4,
    onNotice: () => {},
  });
  expect(tokenizer("<image>").inputIds).toHaveLength(1);
  await created.loadStateDict(checkpoint, { strict: false });
  await created.close();
});
