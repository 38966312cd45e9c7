/** The tiny test model served as if it were a released one: fetched, described and loaded. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createModelAndTransforms } from "../../src/api/compat/create.node.js";
import { hfHubDownload } from "../../src/api/hfHubDownload.node.js";
import { loadModel } from "../../src/api/load.js";
import { load } from "../../src/api/load.node.js";
import { node } from "../../src/api/platform.node.js";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { fetchLanguageModel } from "../../src/hub/languageModel.node.js";
import { fetchModel } from "../../src/released/fetchModel.node.js";
import { requireReleased } from "../../src/released/releasedModels.node.js";
import { golden, randomModelFolder } from "../goldens.js";
import { cacheFolder, commitA, hubOptions, type ServedFile, type TestHub } from "./server.js";
import { language, name, startRelease } from "./tinyRelease.js";

const options = (hub: TestHub, cache: string, more = {}) =>
  hubOptions(hub, cache, {
    chunk: 2 ** 22,
    block: 2 ** 20,
    allowPrivateAddresses: true,
    preferCache: true,
    ...more,
  });

test("a model on the hub answers as the same model in a folder, the second time without a request", async () => {
  const { hub, model } = await startRelease();
  const cache = await cacheFolder();
  const notices: string[] = [];
  const onNotice = (text: string) => void notices.push(text);
  const described = await fetchModel(model, options(hub, cache, { onNotice }));
  expect(notices.join("\n")).toMatch(
    /fetching openflamingo\/OpenFlamingo-9B-vitl-mpt7b checkpoint\.pt \([\d,]+ bytes\)/,
  );
  const before = hub.requests.length;
  expect(await fetchModel(model, options(hub, cache, { isOffline: true }))).toEqual(described);
  expect(hub.requests.length).toBe(before);
  const image = golden("photos/chelsea.png");
  const ofHub = await loadModel(node, described, { onNotice: () => {} });
  const ofFolder = await load(randomModelFolder, { onNotice: () => {} });
  try {
    expect((await ofHub.caption(image)).ids).toEqual((await ofFolder.caption(image)).ids);
  } finally {
    await ofHub.close();
    await ofFolder.close();
  }
});

test("a shard index is followed, and one that names paths is rejected before they are asked for", async () => {
  const withIndex = (map: object) => ({
    change(files: Readonly<Record<string, ServedFile>>) {
      const [weights = ""] = Object.keys(files).filter((each) => /\.(bin|safetensors)$/.test(each));
      const { [weights]: shard, ...rest } = files;
      const index = { bytes: Buffer.from(JSON.stringify({ weight_map: map })) };
      return { ...rest, "shard-1.bin": shard!, "pytorch_model.bin.index.json": index };
    },
  });
  const at = { repository: language, revision: "main" };
  const good = await startRelease(withIndex({ a: "shard-1.bin", b: "shard-1.bin" }));
  const { folder } = await fetchLanguageModel(at, options(good.hub, await cacheFolder()));
  expect(await readdir(folder)).toContain("shard-1.bin");
  for (const path of ["../../x", "/etc/passwd", "sub/x.bin", "a\\b", 7, ".."]) {
    const { hub } = await startRelease(withIndex({ a: "shard-1.bin", b: path }));
    const error = await fetchLanguageModel(at, options(hub, await cacheFolder())).catch(
      (e: OpenFlamingoError) => e,
    );
    expect(String(error)).toMatch(/names the shard .* no plain name of a file/);
    expect(hub.requests.filter(({ url }) => /passwd|shard|%2e|\/x/.test(url))).toEqual([]);
  }
  const { hub } = await startRelease(withIndex({}));
  await expect(fetchLanguageModel(at, options(hub, await cacheFolder()))).rejects.toThrow(
    /no list of shards/,
  );
  const none = await startRelease({ change: ({ "config.json": config }) => ({ "config.json": config! }) });
  await expect(fetchLanguageModel(at, options(none.hub, await cacheFolder()))).rejects.toThrow(
    /does not have tokenizer\.json/,
  );
});

test("CLIP's file is taken by its published hash alone", async () => {
  const { hub, model } = await startRelease();
  const cache = await cacheFolder();
  const other = { ...model, clip: { ...model.clip, sha256: "e".repeat(64) } };
  const wrong = await fetchModel(other, options(hub, cache)).catch((e: OpenFlamingoError) => e);
  expect(String(wrong)).toMatch(/hash is \w+; it must be e{64}/);
  await fetchModel(model, options(hub, cache));
  await expect(fetchModel(other, options(hub, cache))).rejects.toThrow(/is not the file that was published/);
  const absent = { ...model, clip: { ...model.clip, name: "other.pt" } };
  await expect(fetchModel(absent, options(hub, cache, { isOffline: true }))).rejects.toThrow(
    /HF_HUB_OFFLINE is set/,
  );
});

test("a name that is not known is answered with the closest one", async () => {
  for (const wrong of ["openflamingo/OpenFlamingo-9B-vitl-mpt7", "OpenFlamingo/openflamingo-9b-vitl-mpt7b"]) {
    const error = await load(wrong).catch((e: OpenFlamingoError) => e);
    expect(error).toMatchObject({ code: "model-missing", hint: `Did you mean ${name}?` });
  }
  expect(() => requireReleased("owner/other")).toThrow(/none of the models that are known/);
});

test("hfHubDownload and createModelAndTransforms take names on the hub that the environment names", async () => {
  const { hub } = await startRelease();
  const cache = await cacheFolder();
  const before = { ...process.env };
  onTestFinished(
    () => void Object.assign(process.env, { HF_ENDPOINT: before.HF_ENDPOINT ?? "", HF_HUB_CACHE: "" }),
  );
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache });
  const path = await hfHubDownload(name, "checkpoint.pt");
  expect(path).toBe(join(cache, `models--${name.replace("/", "--")}`, "snapshots", commitA, "checkpoint.pt"));
  await expect(hfHubDownload(name, "none.pt")).rejects.toThrow(/has no file none\.pt/);
  const { model, tokenizer } = await createModelAndTransforms({
    clipVisionEncoderPath: join(randomModelFolder, "clip"),
    clipVisionEncoderPretrained: join(randomModelFolder, "clip/open_clip_pytorch_model.bin"),
    langEncoderPath: language,
    tokenizerPath: language,
    crossAttnEveryNLayers: 4,
    onNotice: () => {},
  });
  await model.loadStateDict(path, { strict: false });
  expect(tokenizer.size).toBeGreaterThan(0);
  await model.close();
});
