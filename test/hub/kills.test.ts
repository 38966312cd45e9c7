/**
 * Downloads that are killed at random bytes and started again; two processes at once. `OPENFLAMINGO_HUB_KILLS=200` for
 * the long form; 3 every day.
 */
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { slowTest } from "../slow.js";
import { cacheFolder, commitA, noise, sha256, startHub, type TestHub } from "./server.js";

const size = 6 * 2 ** 20 + 12_345;
const chunk = 2 ** 20;
const bytes = noise(size);
const downloads = Number(process.env.OPENFLAMINGO_HUB_KILLS ?? 3);
const program = fileURLToPath(new URL("fetchOne.mjs", import.meta.url));

const start = (cache: string, hub: TestHub) => {
  const child = spawn(process.execPath, [program, cache, hub.endpoint, "weights.bin"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  child.stderr.on("data", (data) => {
    text += data;
  });
  const ended = new Promise<{ code: number | null; text: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, text })),
  );
  return { child, ended };
};

const startSlowHub = async () => {
  const files = { "weights.bin": { bytes, isLarge: true, pace: 32 * 1024 } };
  const hub = await startHub({ "owner/model": { commit: commitA, files } });
  onTestFinished(() => hub.close());
  return hub;
};

slowTest(
  `${downloads} downloads that are killed at a random byte end with the right hash, less than a chunk fetched again`,
  async () => {
    const hub = await startSlowHub();
    let most = 0;
    let killed = 0;
    let seed = 20_240_719;
    const random = () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed / 2 ** 32;
    };
    for (let i = 0; i < downloads; i++) {
      const cache = await cacheFolder();
      const before = hub.bytesSent();
      const { child, ended } = start(cache, hub);
      const killAt = before + Math.floor(random() * size);
      hub.onSent = (sent) => {
        if (sent >= killAt) child.kill("SIGKILL");
      };
      const first = await ended;
      hub.onSent = undefined;
      if (first.code !== 0) {
        killed++;
        const second = await start(cache, hub).ended;
        expect(second.code, second.text).toBe(0);
        const fetchedAgain = hub.sentTwice();
        most = Math.max(most, fetchedAgain);
      }
      const folder = join(cache, "models--owner--model");
      const content = await readFile(join(folder, "snapshots", commitA, "weights.bin"));
      expect(sha256(content)).toBe(sha256(bytes));
      expect(await readdir(join(folder, "blobs"))).toEqual([sha256(bytes)]);
      hub.forget();
    }
    console.log(
      `${killed} of ${downloads} killed; at most ${most} bytes fetched again, a chunk has ${chunk}`,
    );
    expect(killed).toBeGreaterThan(downloads / 2);
    expect(most).toBeLessThanOrEqual(chunk);
  },
  30_000 + 5000 * downloads,
);

test("two processes that download the same file end with one good copy", async () => {
  const hub = await startSlowHub();
  const cache = await cacheFolder();
  const both = await Promise.all([start(cache, hub).ended, start(cache, hub).ended]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(both[0]!.text).toBe(both[1]!.text);
  expect(sha256(await readFile(both[0]!.text))).toBe(sha256(bytes));
  expect(await readdir(join(dirname(both[0]!.text), "../../blobs"))).toEqual([sha256(bytes)]);
  expect(hub.bytesSent()).toBe(size);
});
