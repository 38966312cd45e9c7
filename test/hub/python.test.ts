/** The cache folder is one with Python's huggingface_hub. `OPENFLAMINGO_PYTHON` names a python3 that has it. */
import { execFile, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { hubFile } from "../../src/hub/hub.node.js";
import { cacheFolder, commitA, hubOptions, noise, startHub } from "./server.js";

const python = process.env.OPENFLAMINGO_PYTHON ?? "python3";
const isThere = spawnSync(python, ["-c", "import huggingface_hub"]).status === 0;
if (!isThere)
  console.log(`skipped: ${python} has no huggingface_hub; OPENFLAMINGO_PYTHON may name one that has`);

const large = noise(200_000);
const files = {
  "config.json": { bytes: Buffer.from("{}\n") },
  "sub/weights.bin": { bytes: large, isLarge: true },
};
const names = Object.keys(files);

const hub = async () => {
  const started = await startHub({ "owner/model": { commit: commitA, files } });
  onTestFinished(() => started.close());
  return started;
};

/** The paths that Python's `hf_hub_download` gives for the files. */
async function byPython(cache: string, env: Record<string, string>): Promise<readonly string[]> {
  const program = `
from huggingface_hub import hf_hub_download
for name in ${JSON.stringify(names)}: print(hf_hub_download("owner/model", name))`;
  const { stdout } = await promisify(execFile)(python, ["-c", program], {
    env: {
      PATH: process.env.PATH ?? "",
      HF_HUB_CACHE: cache,
      HF_HOME: cache,
      HF_HUB_DISABLE_XET: "1",
      ...env,
    },
  });
  return stdout.trim().split("\n");
}

test.skipIf(!isThere)("what Python has fetched is used without a download", async () => {
  const started = await hub();
  const cache = await cacheFolder();
  const paths = await byPython(cache, { HF_ENDPOINT: started.endpoint });
  const asked = started.bytesAsked();
  const before = started.requests.length;
  const found = await Promise.all(
    names.map((file) =>
      hubFile({ repository: "owner/model", revision: "main", file }, hubOptions(started, cache)),
    ),
  );
  expect(found.map((each) => each?.path)).toEqual(paths);
  expect(started.bytesAsked()).toBe(asked);
  expect(started.requests.slice(before).every(({ method }) => method === "HEAD")).toBe(true);
});

test.skipIf(!isThere)("what was fetched here is used by Python offline", async () => {
  const started = await hub();
  const cache = await cacheFolder();
  const paths: string[] = [];
  for (const file of names) {
    const found = await hubFile(
      { repository: "owner/model", revision: "main", file },
      hubOptions(started, cache),
    );
    paths.push(found!.path);
  }
  started.close();
  expect(await byPython(cache, { HF_HUB_OFFLINE: "1" })).toEqual(paths);
  expect(await readFile(paths[1]!)).toEqual(Buffer.from(large));
});
