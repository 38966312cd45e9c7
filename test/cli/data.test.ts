/**
 * `data pack` and `data fetch` as commands: outputs, exit codes, signals and kills. `OPENFLAMINGO_KILLS=200` sets how
 * often each is killed.
 */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { type LocalServer, serve } from "../net/servers.js";
import { allSamples, imageFile, noisyImage, sameFolders, shardsIn, texts } from "../pack/shards.js";
import { slowTest } from "../slow.js";
import { runInProcess } from "./inProcess.js";
import { type Finished, run } from "./run.js";

const kills = Number(process.env.OPENFLAMINGO_KILLS ?? 2);
const folder = mkdtempSync(join(tmpdir(), "data-"));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const images = join(folder, "images");
const captions = join(folder, "captions.csv");
const addresses = join(folder, "addresses.csv");
const rows = 120;
let count = 0;
const next = (name: string) => join(folder, `${count++}-${name}`);

const files: Buffer[] = [];
/** Rows of the images whose last byte was sent, in order. */
const sent: number[] = [];
let server: LocalServer;

beforeAll(async () => {
  mkdirSync(images);
  for (let i = 0; i < rows; i++) {
    files.push(await (i % 3 ? imageFile(i, { width: 200, height: 150 }) : noisyImage(i, 60)));
    writeFileSync(join(images, `${i}.png`), files[i]!);
  }
  server = await serve((request, response) => {
    const row = Number(/\d+/.exec(request.url!)![0]);
    setTimeout(() => response.end(files[row], () => sent.push(row)), 10);
  });
  const lines = (of: (i: number) => string) =>
    Array.from({ length: rows }, (_, i) => `${of(i)},caption ${i}\n`).join("");
  writeFileSync(captions, `image,caption\n${lines((i) => `${i}.png`)}`);
  writeFileSync(addresses, `url,caption\n${lines((i) => `http://127.0.0.1:${server.port}/${i}.png`)}`);
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command and sends it a signal after some milliseconds, unless it has ended by then. */
function stopped(
  args: readonly string[],
  signal: NodeJS.Signals,
  when: { ms: number } | { done: () => boolean },
) {
  return new Promise<Finished & { signal: NodeJS.Signals | null }>((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const timer =
      "ms" in when
        ? setTimeout(() => child.kill(signal), when.ms)
        : setInterval(() => {
            if (!when.done()) return;
            clearInterval(timer);
            child.kill(signal); // once: asked twice, the program waits for nothing
          }, 5);
    child.once("close", (code, by) => {
      clearInterval(timer);
      resolve({ code, stdout, stderr, signal: by });
    });
  });
}

const packArgs = (output: string) => [
  ...["data", "pack", "--captions", captions, "--images", images, "--output", output],
  ...["--samples-per-shard", "10", "--quiet"],
];
const fetchArgs = (output: string) => [
  ...["data", "fetch", addresses, "--output", output, "--rows-per-shard", "25", "--concurrency", "4"],
  ...["--allow-private-addresses", "--max-side", "100"],
];

test("pack prints the shards' names, or JSON; causes go to standard error", async () => {
  const output = next("shards");
  const { code, stdout, stderr } = await runInProcess([...packArgs(output).slice(0, -1)]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^\S+\/\{00000\.\.00011\}\.tar {2}120 samples, \d+(\.\d+)? [kM]B\n$/);
  const again = await runInProcess([...packArgs(output), "--json"]);
  expect(JSON.parse(again.stdout)).toMatchObject({
    pattern: "{00000..00011}.tar",
    samples: 120,
    skipped: {},
  });
});

test("pack ends with 3 when rows were skipped, and says why", async () => {
  const list = next("captions.tsv");
  writeFileSync(list, "file\tcaption\n1.png\tone\n../captions.csv\ttwo\n1.png\tone\n");
  const args = ["data", "pack", "--captions", list, "--images", images, "--output"];
  const { code, stdout, stderr } = await runInProcess([...args, next("shards")]);
  expect(code).toBe(3);
  expect(stdout).toContain(" 1 sample, ");
  expect(stderr).toMatch(
    /^skipped rows:\n {2}duplicate +1 .*\n {2}path-outside +1 {2}\d+-captions\.tsv:2 "\.\.\/captions\.csv"\n/,
  );
});

test("wrong usage and unusable lists have their exit codes, in words and in JSON", async () => {
  const pack = (...more: string[]) =>
    runInProcess(["data", "pack", "--images", images, "--output", next("none"), ...more]);
  const none = await pack();
  expect([none.code, none.stderr]).toEqual([
    2,
    "openflamingo: data pack: no list given\n  Give one of --captions, --questions, --documents, --mmc4.\n",
  ]);
  expect((await pack("--captions", captions, "--questions", captions)).stderr).toContain(
    "more than one kind of list given",
  );
  expect((await pack("--captions", captions, "--quality", "x")).code).toBe(2);
  expect((await pack("--captions", captions, "--quality", "101")).stderr).toContain("quality is 101");
  const missing = await pack("--captions", join(folder, "none.csv"), "--json");
  expect([missing.code, JSON.parse(missing.stderr)]).toMatchObject([3, { error: { code: "data-missing" } }]);
  const columns = await pack("--captions", captions, "--caption-column", "title");
  expect([columns.code, columns.stderr]).toEqual([
    3,
    expect.stringContaining('no column for caption ("title")'),
  ]);
  expect((await runInProcess(["data"])).code).toBe(2);
});

test("columns, delimiter, template and CSV without names are options", async () => {
  const list = next("captions.csv");
  writeFileSync(list, "one\t1.png\ntwo\t2.png\n");
  const output = next("shards");
  const { code } = await runInProcess([
    ...[
      "data",
      "pack",
      "--captions",
      list,
      "--images",
      images,
      "--output",
      output,
      "--no-header",
      "--delimiter",
      "\\t",
    ],
    ...["--image-column", "2", "--caption-column", "1", "--template", "Output:{caption}", "--shuffle", "off"],
  ]);
  expect(code).toBe(0);
  expect(texts(await allSamples(output))).toEqual(["Output:one", "Output:two"]);
});

test("fetch prints what it wrote; addresses that are not public are rejected unless they are allowed", async () => {
  const output = next("shards");
  const { code, stdout } = await runInProcess(fetchArgs(output));
  expect(code).toBe(0);
  expect(stdout).toMatch(/\{00000\.\.00004\}\.tar {2}120 of 120 images, \d+(\.\d+)? [kM]B\n$/);
  const rejected = await runInProcess(["data", "fetch", addresses, "--output", next("none"), "--json"]);
  expect([rejected.code, JSON.parse(rejected.stderr)]).toMatchObject([
    5,
    {
      error: {
        code: "network",
        message: expect.stringContaining("none of 120 images was fetched: private-address 120"),
      },
    },
  ]);
});

slowTest(`pack, killed ${kills} times, goes on and makes the same bytes`, async () => {
  const whole = next("whole");
  const start = performance.now();
  expect((await run(packArgs(whole))).code).toBe(0);
  const longest = performance.now() - start;
  const random = randomStream(1, "kills of packing");
  const seen = { killed: 0, ended: 0, between: 0 };
  for (let i = 0; seen.killed < kills && i < 10 * kills; i++) {
    const output = next("killed");
    // Twice in a row, as often as not.
    for (let k = 0; k < 2; k++) {
      const { signal } = await stopped(packArgs(output), "SIGKILL", {
        ms: longest * (0.3 + 0.7 * random.uniform(i, k)),
      });
      seen[signal === "SIGKILL" ? "killed" : "ended"]++;
      if (!existsSync(output)) continue;
      for (const shard of shardsIn(output)) {
        expect(readFileSync(join(output, shard)).equals(readFileSync(join(whole, shard)))).toBe(true);
      }
      if (shardsIn(output).length % 12 > 0) seen.between++;
    }
    expect((await run(packArgs(output))).code).toBe(0);
    expect(sameFolders(whole, output)).toBe(true);
    expect(readdirSync(output).filter((name) => name.includes("unfinished"))).toEqual([]);
    rmSync(output, { recursive: true });
  }
  console.log(`pack: ${JSON.stringify(seen)}`);
  expect(seen.killed).toBeGreaterThanOrEqual(kills);
});

slowTest(`fetch, killed ${kills} times, fetches no image that is there again`, async () => {
  const whole = next("whole");
  expect((await runInProcess(fetchArgs(whole))).code).toBe(0);
  const random = randomStream(1, "kills of fetching");
  const seen = { killed: 0, again: 0, lost: 0 };
  /** Fetches until so many more answers are sent, and no further. */
  const fetchSome = async (output: string, answers: number) => {
    const until = Math.min(sent.length + answers, rows);
    const { signal } = await stopped(fetchArgs(output), "SIGKILL", { done: () => sent.length >= until });
    if (signal === "SIGKILL") seen.killed++;
  };
  for (let i = 0; seen.killed < kills; i++) {
    const output = next("killed");
    sent.length = 0;
    const before = seen.killed;
    for (let k = 0; k < 5 && seen.killed < kills; k++) {
      await fetchSome(output, 1 + Math.floor(random.uniform(i, 2 * k) * 40));
      if (existsSync(join(output, "index.json"))) break;
      const kept = await rowsIn(output);
      const answered = sent.length;
      await fetchSome(output, 1 + Math.floor(random.uniform(i, 2 * k + 1) * 10));
      seen.again += sent.slice(answered).filter((row) => kept.has(row)).length;
    }
    const { code, stderr } = await run(fetchArgs(output));
    expect([code, stderr]).toEqual([0, ""]);
    expect(sameFolders(whole, output)).toBe(true);
    seen.lost += sent.length - rows;
    // A kill loses at most what was on its way: four connections, and as many that had just ended.
    expect(sent.length - rows).toBeLessThanOrEqual(8 * (seen.killed - before));
    rmSync(output, { recursive: true });
  }
  console.log(`fetch: ${JSON.stringify(seen)}`);
  expect(seen.again).toBe(0);
});

/** The rows whose images are there: in shards, or as files. */
async function rowsIn(output: string): Promise<ReadonlySet<number>> {
  const numberIn = (text: string, pattern: RegExp) => Number(pattern.exec(text)![1]);
  if (!existsSync(join(output, "images"))) return new Set();
  const names = readdirSync(join(output, "images"), { recursive: true, encoding: "utf8" });
  return new Set([
    ...texts(await allSamples(output)).map((text) => numberIn(text, /(\d+)/)),
    ...names.filter((name) => /\.(png|jpg)$/.test(name)).map((name) => numberIn(name, /(\d+)\.\w+$/)),
  ]);
}

test("fetch, interrupted, ends with 130, says so, and goes on", async () => {
  const output = next("interrupted");
  sent.length = 0;
  const { code, stderr } = await stopped(fetchArgs(output), "SIGINT", { done: () => sent.length >= 40 });
  expect(code).toBe(130);
  expect(stderr).toMatch(/^stopped after \d+ of 120 rows: the same command goes on\n$/);
  expect(existsSync(join(output, ".openflamingo-lock"))).toBe(false);
  const result = await runInProcess([...fetchArgs(output), "--json"]);
  expect(JSON.parse(result.stdout)).toMatchObject({ samples: 120, rows: 120 });
  expect(sent.length).toBeLessThanOrEqual(rows + 8);
});
