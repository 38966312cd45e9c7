/** Released models by their names: prepared at first use, opened from there, and prepared anew for other sources. */
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { load } from "../../src/api/load.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import { withLock } from "../../src/base/lock.node.js";
import { hubFile } from "../../src/hub/hub.node.js";
import { fetchLanguageModel } from "../../src/hub/languageModel.node.js";
import { readHubSettings } from "../../src/hub/settings.node.js";
import { fetchModel } from "../../src/released/fetchModel.node.js";
import { findPrepared, preparedFolder } from "../../src/released/preparedModels.node.js";
import { clipWithTexts } from "../clipWithTexts.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import { cacheFolder, hubOptions } from "./server.js";
import {
  homeOf,
  language,
  languageCommit,
  name,
  pretend,
  type Release,
  startRelease,
} from "./tinyRelease.js";

const quietly = { onNotice: () => {} };
const photo = golden("photos/chelsea.png");

const expected: Record<string, readonly number[]> = {};
beforeAll(async () => {
  for (const weights of ["int4", "fp32"] as const) {
    const flamingo = await load(randomModelFolder, { weights, ...quietly });
    expected[weights] = (await flamingo.caption(photo)).ids;
    await flamingo.close();
  }
}, 180_000);

/** This process with a home of its own, in which the tiny model is a released one. */
async function atHome(more: Parameters<typeof startRelease>[0] = {}) {
  const release = await startRelease(more);
  const at = await homeOf(release);
  pretend(release.model, at.env);
  return { ...release, ...at };
}

/** On a machine with little memory these tests run too. */
const unchecked = { memoryCheck: "off" } as const;

async function captionOf(options: Parameters<typeof load>[1] = {}) {
  const notices: string[] = [];
  const work = new Set<string>();
  const past = new Map<string, number>();
  const flamingo = await load(name, {
    ...unchecked,
    onNotice: (text) => void notices.push(text),
    onProgress(done, total, what) {
      work.add(what);
      expect(done).toBeGreaterThanOrEqual(past.get(what) ?? 0); // one bar, which does not jump back
      expect(done).toBeLessThanOrEqual(total);
      past.set(what, done);
    },
    ...options,
  });
  try {
    return { ids: (await flamingo.caption(photo)).ids, notices: notices.join("\n"), work: [...work] };
  } finally {
    await flamingo.close();
  }
}

const removeDownloads = (cache: string) => rm(cache, { recursive: true });

test("a name is fetched and prepared as int4 at first use; then neither network nor checkpoints are needed", async () => {
  const { hub, cache, prepared, home } = await atHome();
  const first = await captionOf();
  expect(first.ids).toEqual(expected.int4);
  expect(first.notices).toMatch(/fetching .* checkpoint\.pt \(/);
  expect(first.notices).toContain(`${name}: 4 MB are to be fetched`);
  expect(first.notices).not.toMatch(/fetching .*json/); // nobody needs to know of small files
  expect(first.notices).toMatch(/is prepared as int4 at its first use/);
  expect(first.notices).toMatch(
    /not needed for it any more.* models --downloaded --remove openflamingo\S+ --remove anas-awadalla\/mpt-7b/,
  );
  expect(first.work).toEqual(expect.arrayContaining([`fetching ${name}`, "preparing", "opening"]));
  const [folder, ...others] = await readdir(prepared);
  expect(others).toEqual([]);
  expect(folder).toMatch(/^openflamingo--OpenFlamingo-9B-vitl-mpt7b--int4-b128--a{8}-c{8}-[\da-f]{8}--v\d+$/);
  // Python's client looks for folders of repositories in its cache alone.
  expect((await readdir(cache)).every((each) => each.startsWith("models--"))).toBe(true);

  const before = hub.requests.length;
  const second = await captionOf({ weights: "int4" });
  expect(second.ids).toEqual(expected.int4);
  expect(second.notices).not.toMatch(/fetching|prepared/);
  expect(second.work.filter((each) => /fetching|preparing/.test(each))).toEqual([]);
  await removeDownloads(cache);
  await rm(join(home, "clip"), { recursive: true });
  expect((await captionOf()).ids).toEqual(expected.int4);
  expect((await prepare(name, undefined, { onNotice: () => {} })).folder).toBe(join(prepared, folder!));
  expect(hub.requests.length).toBe(before);
});

slowTest("fp32 takes the files as they are, int8 and fp16 have folders of their own", async () => {
  const { prepared } = await atHome();
  const plain = await captionOf({ weights: "fp32" });
  expect(plain.ids).toEqual(expected.fp32);
  await expect(readdir(prepared)).rejects.toThrow();
  await captionOf({ weights: "int8" });
  expect(await readdir(prepared)).toEqual([expect.stringContaining("--int8-b128--")]);
  const half = await captionOf({ weights: "fp16" });
  expect(half.notices).toMatch(/is prepared as fp16 at its first use/);
  expect((await captionOf({ weights: "fp16" })).work).toEqual(["loading"]);
  expect((await readdir(prepared)).sort()[0]).toMatch(/--fp16--[\da-f-]+--v\d+$/);
});

slowTest(
  "other settings have folders of their own, and the last one is opened by the name",
  async () => {
    const { model, prepared } = await atHome();
    const folders = new Set<string>();
    const calibrate = [{ image: photo, text: "A cat." }];
    for (const options of [
      { calibrate },
      { keep: { wte: "int8" } },
      {},
      { keep: { wte: "fp32" } },
    ] as const) {
      for (const _ of [1, 2])
        folders.add((await prepare(name, undefined, { ...options, ...quietly })).folder);
    }
    const names = [...folders].map((folder) => basename(folder));
    expect((await readdir(prepared)).sort()).toEqual(names.toSorted());
    expect(names.map((each) => each.split("--")[2])).toEqual([
      expect.stringMatching(/^int4-b128-[\da-f]{8}$/),
      expect.stringMatching(/^int4-b128-[\da-f]{8}$/),
      "int4-b128",
      expect.stringMatching(/^int4-b128-[\da-f]{8}$/),
    ]);
    const opened = await findPrepared(model, await readHubSettings(), { weights: "int4" });
    expect(opened?.path).toBe([...folders].at(-1));
  },
  60_000,
);

test("fp32 that was prepared needs no checkpoints", async () => {
  const { cache } = await atHome();
  await prepare(name, undefined, { weights: "fp32", onNotice: () => {} });
  await removeDownloads(cache);
  expect((await captionOf({ weights: "fp32" })).ids).toEqual(expected.fp32);
});

slowTest(
  "a prepared folder has the small files of all three repositories, and features of texts stay possible",
  async () => {
    const folder = join(await cacheFolder(), "with-texts");
    await clipWithTexts(folder);
    const { hub } = await atHome({ folder });
    const made = await prepare(name, undefined, { onNotice: () => {} });
    const files = await readdir(made.folder, { recursive: true });
    expect(files.sort()).toEqual(
      [
        ...["clip", "clip/open_clip_config.json", "clip/tokenizer.json", "lang", "lang/config.json"],
        ...["lang/special_tokens_map.json", "lang/tokenizer.json", "lang/tokenizer_config.json"],
        ...["openflamingo.json", "weights.bin", "weights.checked.json", "weights.json"],
      ].sort(),
    );
    for (const file of files.filter((each) => /^(clip|lang)\/(tok|spec)/.test(each))) {
      expect(await readFile(join(made.folder, file))).toEqual(await readFile(join(folder, file)));
    }
    const before = hub.requests.length;
    const [ofHub, ofFolder] = [
      await load(name, { ...unchecked, ...quietly, weights: "fp32" }),
      await load(folder),
    ];
    const texts = { texts: ["a cat"] };
    expect(await ofHub.embed(texts)).toEqual(await ofFolder.embed(texts));
    await ofHub.close();
    await ofFolder.close();
    expect(hub.requests.length).toBe(before);
  },
);

test("a hub without CLIP's tokenizer keeps nobody from a caption, and the error for texts names what to do", async () => {
  const { home } = await atHome();
  const notices: string[] = [];
  const flamingo = await load(name, {
    ...unchecked,
    weights: "fp32",
    onNotice: (text) => void notices.push(text),
  });
  expect(notices.join("\n")).toMatch(/without CLIP's tokenizer, embed takes no texts: .*clip-vit-large/);
  await expect(flamingo.embed({ texts: ["a cat"] })).rejects.toMatchObject({
    code: "model-missing",
    message: expect.stringContaining(join(home, "clip", "tokenizer.json")),
    hint: expect.stringContaining("openai/clip-vit-large-patch14"),
  });
  await flamingo.close();
});

slowTest(
  "another revision is not answered from an old folder, and each format has a folder of its own",
  async () => {
    const { model, prepared, publish } = await atHome();
    await prepare(name, undefined, quietly);
    const narrow = await prepare(name, undefined, { ...quietly, block: 32 });
    const settings = await readHubSettings();
    const found = async (what: Parameters<typeof findPrepared>[2], of = model) =>
      (await findPrepared(of, settings, what))?.path;
    expect(await found({ weights: "int4" })).toBe(narrow.folder); // the last one
    expect(await found({ weights: "int4", block: 128 })).toMatch(/--int4-b128--/);
    expect(await found({ weights: "int8" })).toBeUndefined();
    const otherClip = { ...model, clip: { ...model.clip, sha256: "0".repeat(64) } };
    expect(await found({ weights: "int4" }, otherClip)).toBeUndefined();
    const pinned = { repository: "owner/copy", revision: "b".repeat(40) };
    expect(await found({ weights: "int4" }, { ...model, languages: [pinned] })).toBeUndefined();

    publish("b".repeat(40));
    expect(await found({ weights: "int4" })).toBe(narrow.folder); // nothing has asked the hub yet
    await hubFile({ repository: name, revision: "main", file: "checkpoint.pt" }, { settings });
    expect(await found({ weights: "int4" })).toBeUndefined();
    await captionOf();
    expect(await found({ weights: "int4" })).toMatch(/--int4-b128--bbbbbbbb-/);
    expect(await readdir(prepared)).toHaveLength(3);
  },
);

slowTest("a folder of another version is made again, and stays for the version that made it", async () => {
  const { hub, prepared, model } = await atHome();
  const { folder } = await prepare(name, undefined, quietly);
  const version = /\d+$/.exec(folder)![0];
  const old = folder.replace(/\d+$/, "1");
  await rename(folder, old);
  const json = join(old, "openflamingo.json");
  const text = await readFile(json, "utf8");
  await writeFile(json, text.replace(/("prepared": \{\s*"version":) \d+/, "$1 1"));
  const before = hub.bytesAsked();
  const { ids, notices } = await captionOf();
  expect(ids).toEqual(expected.int4);
  expect(notices).toContain("is prepared as int4 again, as another version of this program did");
  expect(notices).toContain(`${old} is of another version of this program`);
  expect(hub.bytesAsked()).toBe(before); // its sources were there
  expect((await readdir(prepared)).sort()).toEqual([basename(old), basename(folder)].sort());
  expect((await findPrepared(model, await readHubSettings(), { weights: "int4" }))?.path).toBe(folder);
  await expect(load(old, quietly)).rejects.toMatchObject({
    code: "model-unsupported",
    message: expect.stringContaining(`was prepared in version 1; this program reads version ${version}`),
    hint: `Remove it, and make it again with this version: openflamingo prepare ${name} --output "${old}".`,
  });
});

test("a folder named as output is written, and one that is there is reported before anything is fetched", async () => {
  const { hub } = await atHome();
  const output = join(await cacheFolder(), "mine");
  await mkdir(output);
  await expect(prepare(name, output, quietly)).rejects.toMatchObject({ code: "usage" });
  expect(hub.requests).toEqual([]);
  await rm(output, { recursive: true });
  expect(await prepare(name, output, quietly)).toMatchObject({ folder: output });
  const flamingo = await load(output, quietly);
  expect((await flamingo.caption(photo)).ids).toEqual(expected.int4);
  await flamingo.close();
  await expect(prepare("openflamingo/OpenFlamingo-9B-vitl-mpt7", output, quietly)).rejects.toMatchObject({
    code: "model-missing",
    hint: `Did you mean ${name}?`,
  });
});

test("who comes second waits, says so, and finds the folder", async () => {
  const { model, prepared } = await atHome();
  const fetched = await fetchModel(model, { settings: await readHubSettings(), preferCache: true });
  const folder = preparedFolder(
    model,
    await readHubSettings(),
    { weights: "int4", block: 128 },
    fetched.sources,
  );
  const notices: string[] = [];
  let second: Promise<unknown> | undefined;
  await withLock(`${folder}.unfinished-lock`, {}, async () => {
    await new Promise<void>((resolve) => {
      const onNotice = (text: string) => {
        notices.push(text);
        if (/waiting for another process that prepares/.test(text)) resolve();
      };
      second = prepare(name, undefined, { onNotice });
    });
    await cp(await preparedElsewhere(), folder, { recursive: true });
  });
  expect(await second).toMatchObject({ folder, errors: new Map() });
  expect(await readdir(prepared)).toEqual([basename(folder)]);
});

async function preparedElsewhere(): Promise<string> {
  const { folder } = await prepare(randomModelFolder, join(await cacheFolder(), "elsewhere"));
  return folder;
}

test("the pinned language model comes first, then the one that the model's card names", async () => {
  const pinned = { repository: "owner/pinned", revision: "f".repeat(40) };
  const notices: string[] = [];
  const fetched = async ({ hub, model }: Release, cache: string) =>
    fetchModel(
      { ...model, languages: [pinned, ...model.languages] },
      hubOptions(hub, cache, {
        ...{ chunk: 2 ** 22, block: 2 ** 20, allowPrivateAddresses: true },
        onNotice: (text) => void notices.push(text),
      }),
    );
  const without = await startRelease();
  const { repositories, sources } = await fetched(without, await cacheFolder());
  expect([repositories, sources[1]]).toEqual([[name, language], languageCommit]);
  expect(notices.join("\n")).toMatch(/owner\/pinned cannot be had: anas-awadalla\/mpt-7b is taken/);

  const both = await startRelease({ pinned });
  expect(await fetched(both, await cacheFolder())).toMatchObject({ repositories: [name, "owner/pinned"] });
  const cache = await cacheFolder(); // with what the other one is from
  await fetchLanguageModel({ repository: language, revision: "main" }, hubOptions(both.hub, cache));
  expect(await fetched(both, cache)).toMatchObject({ repositories: [name, language] });

  both.hub.close();
  await expect(fetched(both, await cacheFolder())).rejects.toMatchObject({ code: "network" });
});
