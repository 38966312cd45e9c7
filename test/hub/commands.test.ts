/** `download`, `models`, `prepare NAME` and `--model NAME`, with a hub on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runInProcess } from "../cli/inProcess.js";
import { golden } from "../goldens.js";
import { slowTest } from "../slow.js";
import { sha256 } from "./server.js";
import { homeOf, language, name, pretend, startRelease } from "./tinyRelease.js";

/** On a machine with little memory these tests run too. */
const unchecked = ["--memory-check", "off"];

const photo = golden("photos/chelsea.png");
const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const program = ["--import", pathOf("asReleased.mjs"), pathOf("../../dist/cli/main.js")];

/** A home in which the command line takes the tiny model for a released one. */
async function atHome(options: Parameters<typeof startRelease>[0] = {}) {
  const release = await startRelease(options);
  const at = await homeOf(release);
  const env = { ...process.env, ...at.env, OPENFLAMINGO_TEST_MODEL: JSON.stringify(release.model) };
  /** @param watch sees the process at work */
  const openflamingo = async (
    args: readonly string[],
    { disk, watch }: { disk?: number; watch?: (child: ChildProcess) => void } = {},
  ) => {
    const child = spawn(process.execPath, [...program, ...args], {
      env: { ...env, ...(disk && { OPENFLAMINGO_TEST_DISK: String(disk) }) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    watch?.(child);
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, stdout, stderr };
  };
  /** In the process of the test, which needs no start. */
  const inProcess = (args: readonly string[]) => {
    pretend(release.model, at.env);
    return runInProcess(args);
  };
  return { ...release, ...at, openflamingo, inProcess };
}

const linesOf = (stdout: string) => stdout.split("\n").filter(Boolean);

test("download fetches all parts, and says where they are", async () => {
  const { hub, cache, home, openflamingo } = await atHome();
  const { code, stdout, stderr } = await openflamingo(["download", name, "--json"]);
  expect(code, stderr).toBe(0);
  const snapshot = join(cache, `models--${name.replace("/", "--")}/snapshots`, "a".repeat(40));
  expect(JSON.parse(stdout)).toEqual({
    name,
    checkpoint: snapshot,
    language: join(cache, `models--${language.replace("/", "--")}/snapshots`, "c".repeat(40)),
    vision: join(home, "clip/ViT-L-14.pt"),
  });
  expect(readdirSync(snapshot)).toEqual(["checkpoint.pt"]);
  expect(stderr).toMatch(/fetching \S+OpenFlamingo-9B\S+ checkpoint\.pt \(2,998,699 bytes\)/);
  const before = hub.bytesSent();
  const again = await openflamingo(["download", name]);
  expect(again.stdout).toMatch(/^name: +openflamingo.*\ncheckpoint: +\//);
  expect(again.stderr).not.toMatch(/fetching/);
  expect(hub.bytesSent()).toBe(before);
});

test("download reports what is not there with the exit codes of models and networks", async () => {
  const { hub, openflamingo, inProcess } = await atHome();
  const unknown = await openflamingo(["download", "openflamingo/OpenFlamingo-9B", "--json"]);
  expect(unknown.code).toBe(4);
  expect(JSON.parse(unknown.stderr).error).toMatchObject({ code: "model-missing" });
  const revision = await inProcess(["download", name, "--revision", "v9"]);
  expect([revision.code, revision.stderr]).toEqual([5, expect.stringMatching(/has no revision "v9"/)]);
  hub.close();
  const blocked = await inProcess(["download", name, "--json"]);
  expect(blocked.code).toBe(5);
  expect(JSON.parse(blocked.stderr).error).toMatchObject({ code: "network", hint: expect.any(String) });
});

slowTest("a download that is killed goes on where it was", async () => {
  const { hub, cache, openflamingo } = await atHome({ pace: 64 * 1024 });
  const blobs = join(cache, `models--${name.replace("/", "--")}/blobs`);
  const killed = await openflamingo(["download", name], {
    watch: (child) => {
      hub.onSent = (sent) => sent > 2_500_000 && child.kill("SIGKILL");
    },
  });
  expect(killed.code).toBe(null);
  expect(readdirSync(blobs).every((file) => file.includes("openflamingo-"))).toBe(true);
  hub.onSent = undefined;
  expect((await openflamingo(["download", name])).code).toBe(0);
  const [blob] = readdirSync(blobs);
  expect(sha256(readFileSync(join(blobs, blob!)))).toBe(blob);
});

slowTest(
  "a disk that fills up during a download ends it with code 6, and it goes on when there is room",
  async () => {
    const { hub, cache, openflamingo } = await atHome();
    const full = await openflamingo(["download", name, "--json"], { disk: 2_500_000 });
    expect(full.code, full.stderr).toBe(6);
    const last = linesOf(full.stderr).at(-1);
    expect(JSON.parse(last!).error).toMatchObject({
      code: "disk",
      message: expect.stringMatching(/cannot be written: there is no space left on the disk/),
      hint: expect.stringMatching(/Make room/),
    });
    const folder = join(cache, `models--${name.replace("/", "--")}`);
    expect(readdirSync(join(folder, "blobs")).every((file) => file.includes("openflamingo-part"))).toBe(true);
    expect(existsSync(join(folder, "snapshots"))).toBe(false);
    const listed = await openflamingo(["models", "--json"]);
    const entries = linesOf(listed.stdout).map((line) => JSON.parse(line));
    expect(entries).toContainEqual(expect.objectContaining({ name, isUnfinished: true }));
    expect((await openflamingo(["caption", ...unchecked, "--model", name, photo], { disk: 1000 })).code).toBe(
      6,
    );
    expect((await openflamingo(["download", name])).code).toBe(0);
    expect(hub.requests.at(-1)?.url).not.toMatch(/checkpoint/);
    const [blob, ...others] = readdirSync(join(folder, "blobs"));
    expect(others).toEqual([]);
    expect(sha256(readFileSync(join(folder, "blobs", blob!)))).toBe(blob);
    // The first block of 2 MiB was noted, and is not fetched again.
    expect(hub.requests.map(({ range }) => range)).toContain(`bytes=${2 * 2 ** 20}-2998698`);
  },
);

test("prepare takes a name, fetches and prepares once, and is then found by --model", async () => {
  const { hub, prepared, openflamingo, inProcess } = await atHome();
  const made = await openflamingo(["prepare", name, "--block", "32", "--json"]);
  expect(made.code, made.stderr).toBe(0);
  const [folder] = readdirSync(prepared);
  expect(folder).toMatch(/--int4-b32--/);
  expect(JSON.parse(made.stdout)).toMatchObject({
    folder: join(prepared, folder!),
    bytes: expect.any(Number),
  });
  expect(made.stderr).toMatch(/openflamingo models --downloaded --remove openflamingo/);
  const again = await inProcess(["prepare", name, "--block", "32"]);
  expect([again.code, again.stdout]).toEqual([0, `${join(prepared, folder!)}\n`]);
  expect(again.stderr).toMatch(/is prepared as int4 already/);
  const before = hub.requests.length;
  const caption = await openflamingo(["caption", ...unchecked, "--model", name, "--json", photo]);
  expect(caption.code, caption.stderr).toBe(0);
  expect(JSON.parse(caption.stdout)).toMatchObject({ image: photo, text: expect.any(String) });
  expect(caption.stderr).not.toMatch(/fetching|prepared/);
  expect(hub.requests.length).toBe(before);
});

slowTest(
  "caption of a name that was never used fetches, prepares and answers, whatever ended the times before",
  async () => {
    const { prepared, openflamingo } = await atHome();
    const caption = ["caption", ...unchecked, "--model", name, photo];
    const journalIn = () =>
      existsSync(prepared)
        ? readdirSync(prepared).map((folder) => join(prepared, folder, "journal.jsonl"))
        : [];
    const linesThere = () =>
      Math.max(
        0,
        ...journalIn().map((file) => (existsSync(file) ? linesOf(readFileSync(file, "utf8")).length : 0)),
      );
    for (const signal of ["SIGKILL", "SIGINT"] as const) {
      const before = linesThere();
      const ended = await openflamingo(caption, {
        async watch(child) {
          while (child.exitCode === null && linesThere() <= before + 20) await wait(5);
          child.kill(signal);
        },
      });
      expect(ended.stdout).toBe("");
      expect(ended.code).toBe(signal === "SIGKILL" ? null : 130);
    }
    const left = linesThere();
    expect(left).toBeGreaterThan(20);
    const full = await openflamingo(caption, { disk: 100_000 });
    expect([full.code, full.stderr]).toEqual([6, expect.stringMatching(/no space left on the disk/)]);
    expect(linesThere()).toBeGreaterThanOrEqual(left);
    const { code, stdout, stderr } = await openflamingo(caption);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/note: \S+ is prepared as int4 at its first use/);
    expect(stdout.trim()).not.toBe("");
    expect(readdirSync(prepared)).toEqual([expect.stringMatching(/--int4-b128--[\da-f-]+--v\d+$/)]);
  },
);

slowTest(
  "two processes that use a name for the first time end with one folder and the same answer",
  async () => {
    const { prepared, openflamingo } = await atHome();
    const both = await Promise.all(
      [1, 2].map(() => openflamingo(["caption", ...unchecked, "--model", name, photo])),
    );
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both[0]!.stdout).toBe(both[1]!.stdout);
    expect(readdirSync(prepared)).toHaveLength(1);
  },
);

slowTest("models lists both forms with sizes, and removes what is asked for", async () => {
  const { cache, prepared, inProcess } = await atHome();
  const none = await inProcess(["models"]);
  expect([none.code, none.stdout]).toEqual([0, ""]);
  expect(none.stderr).toMatch(/no models are there(.|\n)*OpenFlamingo-9B-vitl-mpt7b/);
  await inProcess(["prepare", name]);
  const listed = await inProcess(["models"]);
  expect(linesOf(listed.stdout)).toEqual([
    expect.stringMatching(/^ *\d\S* [kM]B {2}anas-awadalla\/mpt-7b \(downloaded\)$/),
    expect.stringMatching(/^ *3\.00 MB {2}openflamingo\/OpenFlamingo-9B-vitl-mpt7b \(downloaded\)$/),
    expect.stringMatching(
      /^ *\S+ [kM]B {2}openflamingo\/OpenFlamingo-9B-vitl-mpt7b \(prepared, int4-b128\)$/,
    ),
  ]);
  const json = linesOf((await inProcess(["models", "--prepared", "--json"])).stdout).map((line) =>
    JSON.parse(line),
  );
  expect(json).toEqual([
    expect.objectContaining({ kind: "prepared", name, format: "int4-b128", isUnfinished: false }),
  ]);

  const dry = await inProcess(["models", "--remove", name, "--dry-run"]);
  expect(linesOf(dry.stdout)).toEqual([
    expect.stringMatching(/^would remove 3\.00 MB .*\(downloaded\)/),
    expect.stringMatching(/^would remove .*\(prepared, int4-b128\)/),
  ]);
  expect(readdirSync(prepared)).toHaveLength(1);
  const wrong = await inProcess(["models", "--remove", name, "--remove", `${name}x`, "--json"]);
  expect(wrong.code).toBe(4);
  expect(JSON.parse(wrong.stderr).error.hint).toBe(`Did you mean ${name}?`);
  expect((await inProcess(["models", "--remove", "x/y"])).stderr).toMatch(/models lists what is there/);
  expect((await inProcess(["models", "--prepared", "--downloaded"])).code).toBe(2);

  const sound = await inProcess(["models", "--check"]);
  expect([sound.code, linesOf(sound.stdout).length]).toEqual([0, 3]);
  expect(sound.stdout).toMatch(/^sound: \S+ [kM]B {2}\S+ \(downloaded\)$/m);
  const [folder = ""] = readdirSync(prepared);
  const blobs = join(cache, `models--${language.replace("/", "--")}/blobs`);
  const [blob = ""] = readdirSync(blobs).filter((each) => each.length === 64);
  const flipOneBit = () => {
    for (const file of [join(blobs, blob), join(prepared, folder, "weights.bin")]) {
      const bytes = readFileSync(file);
      bytes[100]! ^= 1;
      writeFileSync(file, bytes);
    }
  };
  flipOneBit();
  const damaged = await inProcess(["models", "--check", "--json"]);
  expect([damaged.code, linesOf(damaged.stdout).length]).toEqual([4, 1]);
  expect(linesOf(damaged.stderr).map((line) => JSON.parse(line).error)).toEqual([
    expect.objectContaining({ code: "checkpoint-damaged", message: expect.stringContaining(blob) }),
    expect.objectContaining({ code: "model-invalid", message: expect.stringContaining(folder) }),
  ]);
  flipOneBit(); // back

  const downloads = await inProcess(["models", "--downloaded", "--remove", name, "--json"]);
  expect(linesOf(downloads.stdout).map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ removed: name, kind: "downloaded" }),
  ]);
  expect(downloads.stderr).toMatch(/its language model stays: anas-awadalla\/mpt-7b/);
  expect((await inProcess(["models", "--remove", language])).code).toBe(0);
  expect(readdirSync(cache).filter((folder) => /mpt-7b|OpenFlamingo/.test(folder))).toEqual([]);
  expect((await inProcess(["caption", ...unchecked, "--quiet", "--model", name, photo])).code).toBe(0);
  expect((await inProcess(["models", "--remove", name])).code).toBe(0);
  expect(readdirSync(prepared)).toEqual([]);
});
