/** CLIP from OpenAI's address, or from open_clip's copy on the hub where that does not answer. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { createModelAndTransforms } from "../../src/api/compat/create.node.js";
import { load } from "../../src/api/load.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import { hubFile } from "../../src/hub/hub.node.js";
import { readHubSettings } from "../../src/hub/settings.node.js";
import { fetchModel } from "../../src/released/fetchModel.node.js";
import { golden, randomModelFolder } from "../goldens.js";
import { safetensors, tensorsOf } from "../tensors.js";
import { cacheFolder, hubOptions, type Lie, type ServedFile } from "./server.js";
import {
  clipCopy,
  clipCopyCommit,
  clipTokenizer,
  homeOf,
  language,
  name,
  pretend,
  startRelease,
} from "./tinyRelease.js";

const bin = join(randomModelFolder, "clip/open_clip_pytorch_model.bin");
const safe = "open_clip_model.safetensors";
const plain = "open_clip_pytorch_model.bin";
let files: Record<string, ServedFile>;
beforeAll(async () => {
  files = {
    [safe]: { bytes: safetensors(await tensorsOf(bin)), isLarge: true },
    [plain]: { bytes: await readFile(bin), isLarge: true },
  };
});

/** OpenAI's address answers with a status. (The hub's copy may be the same file, and is not asked for in this way.) */
const away =
  (sha256: string, status: number): Lie =>
  ({ method, url }, response) => {
    if (method !== "HEAD" || !url?.startsWith(`/cdn/${sha256}`)) return false;
    response.writeHead(status).end();
    return true;
  };

const isolated = { allowPrivateAddresses: true, preferCache: true, chunk: 2 ** 22, block: 2 ** 20 };

test.each([
  [safe, [safe, plain]],
  [plain, [plain]],
] as const)("the hub's copy is taken where OpenAI's address does not answer: %s", async (taken, there) => {
  const copy = Object.fromEntries(there.map((file) => [file, files[file]!]));
  const { hub, model } = await startRelease({ copy });
  hub.lie = away(model.clip.sha256, 503);
  const cache = await cacheFolder();
  const notices: string[] = [];
  const options = hubOptions(hub, cache, { ...isolated, onNotice: (text) => void notices.push(text) });
  const described = await fetchModel(model, options);
  const path = join(cache, `models--${clipCopy.replace("/", "--")}/snapshots`, clipCopyCommit, taken);
  expect(described).toMatchObject({
    vision: { weights: path },
    repositories: [name, language, clipCopy],
  });
  expect(described.sources[2]).toBe(model.clip.sha256);
  expect(notices.join("\n")).toMatch(
    /\/cdn\/\w+: the server answers 503: the copy of timm\S+ on the hub is taken in its place/,
  );

  const asked = () => hub.requests.filter(({ url }) => !url.includes(clipTokenizer));
  const before = asked().length;
  hub.lie = undefined;
  expect(await fetchModel(model, options)).toEqual(described); // what is at hand is taken
  expect(await fetchModel(model, { ...options, settings: { ...options.settings, isOffline: true } })).toEqual(
    described,
  );
  expect(asked().length).toBe(before);
});

test("OpenAI's file is taken where both can be had, and another file at its address is no reason to look elsewhere", async () => {
  const { hub, model } = await startRelease({ copy: files });
  const options = hubOptions(hub, await cacheFolder(), isolated);
  expect((await fetchModel(model, options)).repositories).toEqual([name, language]);
  const other = { ...model, clip: { ...model.clip, sha256: "e".repeat(64), name: "other.pt" } };
  await expect(fetchModel(other, options)).rejects.toThrow(/hash is \w+; it must be e{64}/);
});

test("where neither can be had, the error names both, and where each may be put", async () => {
  const { hub, model } = await startRelease();
  hub.lie = away(model.clip.sha256, 404);
  const cache = await cacheFolder();
  await expect(fetchModel(model, hubOptions(hub, cache, isolated))).rejects.toMatchObject({
    code: "network",
    message: `${model.clip.address}: the server answers 404`,
    hint: expect.stringContaining(join(cache, "clip/ViT-L-14.pt")),
  });
  const offline = hubOptions(hub, cache, { ...isolated, isOffline: true });
  const snapshot = join(cache, `models--${clipCopy.replace("/", "--")}/snapshots/COMMIT`, safe);
  await expect(fetchModel(model, offline)).rejects.toMatchObject({
    message: expect.stringMatching(/HF_HUB_OFFLINE is set/),
    hint: expect.stringContaining(`${clipCopy}/resolve/main/${safe}, at ${snapshot}`),
  });
});

test("a name is prepared with the hub's copy, under the same name and with the same answer", async () => {
  const release = await startRelease({ copy: files });
  const { env, home, prepared } = await homeOf(release);
  pretend(release.model, env);
  const quietly = { onNotice: () => {} };
  const ofOpenAi = await prepare(name, undefined, quietly);
  const weights = await readFile(join(ofOpenAi.folder, "weights.bin"));
  await rm(prepared, { recursive: true });
  await rm(join(home, "clip"), { recursive: true });
  const notices: string[] = [];
  const ofCopy = await prepare(name, undefined, { onNotice: (text) => void notices.push(text) });
  expect(ofCopy.folder).toBe(ofOpenAi.folder);
  expect(weights.equals(await readFile(join(ofCopy.folder, "weights.bin")))).toBe(true);
  expect(notices.join("\n")).toContain(`--remove ${language} --remove ${clipCopy}`);
  const flamingo = await load(name, { memoryCheck: "off", ...quietly });
  expect((await flamingo.caption(golden("photos/chelsea.png"))).ids.length).toBeGreaterThan(0);
  await flamingo.close();
});

test("createModelAndTransforms takes the hub's copy for openai", async () => {
  const release = await startRelease({ copy: files });
  const { env, home } = await homeOf(release);
  pretend(release.model, env);
  await rm(join(home, "clip"), { recursive: true });
  const settings = await readHubSettings();
  const at = { repository: clipCopy, revision: "main", file: safe };
  const { path } = (await hubFile(at, { settings }))!;
  const trained = join(randomModelFolder, "checkpoint.pt");
  const made = createModelAndTransforms({
    clipVisionEncoderPath: "ViT-L-14",
    clipVisionEncoderPretrained: "openai",
    langEncoderPath: language,
    tokenizerPath: language,
    crossAttnEveryNLayers: 4,
    onNotice: () => {},
  });
  // It is the tiny model's, which does not fit the real one's configuration.
  await expect(made.then(({ model }) => model.loadStateDict(trained, { strict: false }))).rejects.toThrow(
    path,
  );
});
