/**
 * One cache folder for Python's huggingface_hub and for us: what the one has fetched the other uses without a request.
 * `OPENFLAMINGO_PYTHON` names a Python that has the package; `python3` if not set.
 */
import { execFile, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { hubFile } from "../../src/hub/hub.node.js";
import { cacheFolder, commitA, hubOptions, noise, sha256, startHub } from "./server.js";

const python = process.env.OPENFLAMINGO_PYTHON ?? "python3";
const isThere = spawnSync(python, ["-c", "import huggingface_hub"]).status === 0;
if (!isThere) console.log(`skipped, as ${python} has no huggingface_hub: one cache for both`);

const large = noise(300_000);
const files = {
  "config.json": { bytes: Buffer.from("{}") },
  "sub/weights.bin": { bytes: large, isLarge: true },
};

test.skipIf(!isThere)("a cache is shared with huggingface_hub, both ways", { timeout: 60_000 }, async () => {
  const hub = await startHub({ "owner/model": { commit: commitA, files } });
  onTestFinished(() => hub.close());
  // As on the hub, large files come from another host: Python reads the headers of the redirect itself.
  const elsewhere = hub.endpoint.replace("127.0.0.1", "localhost");
  hub.lie = ({ method, url }, response) => {
    if (method !== "HEAD" || !url?.endsWith("weights.bin")) return false;
    const linked = { "x-linked-etag": `"${sha256(large)}"`, "x-linked-size": large.length };
    const location = `${elsewhere}/cdn/${sha256(large)}`;
    response.writeHead(302, { "x-repo-commit": commitA, ...linked, location }).end();
    return true;
  };
  const byPython = async (cache: string, file: string, more: object = {}) => {
    const code = `from huggingface_hub import hf_hub_download\nprint(hf_hub_download("owner/model", "${file}"))`;
    const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, ...more };
    return (await promisify(execFile)(python, ["-c", code], { env })).stdout.trim();
  };
  const [theirs, ours] = [await cacheFolder(), await cacheFolder()];
  for (const [file, { bytes }] of Object.entries(files)) {
    const asked = { repository: "owner/model", revision: "main", file };
    const fetched = await byPython(theirs, file);
    const before = hub.requests.length;
    const found = await hubFile(asked, hubOptions(hub, theirs, { isOffline: true }));
    expect(found?.path).toBe(fetched);
    expect(hub.requests.length).toBe(before);

    const mine = await hubFile(asked, hubOptions(hub, ours));
    expect(await byPython(ours, file, { HF_HUB_OFFLINE: "1" })).toBe(mine?.path);
    expect(await readFile(mine!.path)).toEqual(Buffer.from(bytes));
  }
});
