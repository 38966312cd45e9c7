/** Downloads and prepared folder must fit on the disk together, which is known before anything is fetched. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { load } from "../../src/api/load.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import { preparedVersion } from "../../src/checkpoints/modelFolder.js";
import { fetchModel } from "../../src/released/fetchModel.node.js";
import { requireReleased } from "../../src/released/releasedModels.node.js";
import { randomModelFolder } from "../goldens.js";
import { cacheFolder, hubOptions } from "./server.js";
import { homeOf, name, pretend, startRelease } from "./tinyRelease.js";

const free = vi.hoisted(() => ({ bytes: 0 }));
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<typeof import("node:fs/promises")>()),
  statfs: async () => ({ bavail: free.bytes, bsize: 1 }),
}));
beforeEach(() => {
  free.bytes = 0;
});

const quietly = { onNotice: () => {} };

test("by its name: both figures, before a byte is fetched, in load and in prepare", async () => {
  const release = await startRelease({ config: requireReleased(name).config });
  const at = await homeOf(release);
  pretend(release.model, at.env);
  free.bytes = 1e9;
  const expected = {
    code: "disk",
    message: expect.stringMatching(
      new RegExp(
        `^${name}: 4 MB are to be fetched and 4.7 GB are to be prepared, the disk of ${at.home}.* has 1.0 GB free$`,
      ),
    ),
    hint: expect.stringContaining("HF_HOME"),
  };
  await expect(load(name, { memoryCheck: "off", ...quietly })).rejects.toMatchObject(expected);
  await expect(prepare(name, undefined, quietly)).rejects.toMatchObject(expected);
  expect(release.hub.bytesAsked()).toBeLessThan(10_000); // an index of shards
  const output = join(await cacheFolder(), "mine");
  await expect(prepare(name, output, quietly)).rejects.toThrow(/4\.7 GB are to be prepared/);

  // What a preparation that was stopped has written is there already.
  const stopped = join(
    at.prepared,
    `openflamingo--OpenFlamingo-9B-vitl-mpt7b--int4-b128--aa--v${preparedVersion}.unfinished`,
  );
  await mkdir(stopped, { recursive: true });
  await writeFile(join(stopped, "weights.bin"), new Uint8Array(2e8));
  await expect(prepare(name, undefined, quietly)).rejects.toThrow(/4\.5 GB are to be prepared/);
});

test("what is there needs no room, and what was fetched in part needs the rest", async () => {
  const { hub, model } = await startRelease();
  const options = hubOptions(hub, await cacheFolder(), {
    ...{ chunk: 2 ** 20, block: 2 ** 18, allowPrivateAddresses: true, preferCache: true },
    freeBytes: async () => free.bytes,
  });
  const prepared = { folder: options.settings.assets, bytes: async () => 1e6 };
  free.bytes = 1e9;
  const { size } = model.clip;
  const files = ["checkpoint.pt", ...[1, 2].map((i) => `lang/pytorch_model-0000${i}-of-00002.bin`)];
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(randomModelFolder, file))).size),
  );
  const large = sizes.reduce((sum, each) => sum + each, size);
  await fetchModel(model, options);
  expect(await fetchModel(model, { ...options, freeBytes: async () => 0 }, { prepared })).toBeDefined();

  const empty = hubOptions(hub, await cacheFolder());
  const anew = { ...options, settings: empty.settings };
  free.bytes = large - 1;
  await expect(fetchModel(model, anew)).rejects.toMatchObject({ code: "disk" });
  const part = join(anew.settings.clipCache, `${model.clip.name}.openflamingo-part`);
  await mkdir(anew.settings.clipCache, { recursive: true });
  await writeFile(part, new Uint8Array(size));
  await expect(fetchModel(model, anew, { prepared })).rejects.toMatchObject({ code: "disk" });
  await expect(fetchModel(model, anew)).resolves.toBeDefined();
});
