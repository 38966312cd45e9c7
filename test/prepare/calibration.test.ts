/** Preparation with calibration: what it writes, that it goes on where it was, and what it rejects. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { node } from "../../src/api/platform.node.js";
import { prepare } from "../../src/api/prepare.node.js";
import { load } from "../../src/index.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";

const folder = mkdtempSync(join(tmpdir(), "calibration-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const photo = golden("photos/chelsea.png");
const calibrate = [
  { image: photo, text: "A cat looks at you." },
  { image: golden("photos/coffee.png"), text: "A cup of coffee." },
];
const [plain, calibrated] = ["plain", "calibrated"].map((name) => join(folder, name)) as [string, string];

beforeAll(async () => {
  await prepare(randomModelFolder, plain);
  await prepare(randomModelFolder, calibrated, { calibrate });
}, 60_000);

const digestOf = (of: string) =>
  ["weights.bin", "weights.json"].map((file) =>
    createHash("sha256")
      .update(readFileSync(join(of, file)))
      .digest("hex"),
  );
const indexOf = (of: string) =>
  (
    JSON.parse(readFileSync(join(of, "weights.json"), "utf8")) as {
      tensors: { name: string; sha256: string }[];
    }
  ).tensors;

test("matrices in 4 bits become others, nothing else does, and only what a folder has is left", async () => {
  const before = new Map(indexOf(plain).map(({ name, sha256 }) => [name, sha256]));
  const changed = indexOf(calibrated).filter(({ name, sha256 }) => before.get(name) !== sha256);
  expect(changed.length).toBeGreaterThan(60);
  const isOther = ({ name }: { name: string }) =>
    !/^lang_encoder\..*:(values|scales)$|to_kv|norm/.test(name) || /to_kv|norm/.test(name);
  expect(changed.filter(isOther)).toEqual([]);
  expect(readdirSync(calibrated).sort()).toEqual(readdirSync(plain).sort());
  expect(readFileSync(join(calibrated, "openflamingo.json"), "utf8")).toMatch(
    /"calibration": \{\s*"samples": 2,\s*"sha256": "[0-9a-f]{64}"\s*\}/,
  );
  await using flamingo = await load(calibrated, { onNotice: () => {} });
  expect((await flamingo.caption(photo)).ids.length).toBeGreaterThan(0);
});

describe("interrupted", () => {
  /** Stops at the so-many-eth call for this work. */
  const stopAt = (work: string, call: number) => {
    const controller = new AbortController();
    let calls = 0;
    const onProgress = (_done: number, _total: number, what: string) => {
      if (what === work && ++calls === call) controller.abort(new Error("enough"));
    };
    return { signal: controller.signal, onProgress };
  };
  /** Prepares to the end, and says what was done. */
  const finish = async (output: string, options: Parameters<typeof prepare>[2]) => {
    const works = new Set<string>();
    const onProgress = (_done: number, _total: number, what: string) => works.add(what);
    await prepare(randomModelFolder, output, { ...options, onProgress });
    expect(existsSync(join(output, "calibration"))).toBe(false);
    return [...works];
  };

  slowTest(
    "it goes on to the same bytes, and reads again only where the texts are others",
    async () => {
      const output = join(folder, "stopped");
      const inside = (path: string) => join(`${output}.unfinished`, "calibration", path);
      const stopped = (given: typeof calibrate, ...at: Parameters<typeof stopAt>) =>
        expect(prepare(randomModelFolder, output, { calibrate: given, ...stopAt(...at) })).rejects.toThrow(
          "enough",
        );
      const others = calibrate.map(({ image }) => ({ image, text: "Something else." }));
      await stopped(others, "preparing", 40);
      expect(readFileSync(inside("plain/journal.jsonl"), "utf8").split("\n").length).toBeGreaterThan(30);
      await stopped(others, "calibrating", 1);
      expect(existsSync(inside("plain/weights.bin"))).toBe(true);
      await stopped(others, "calibrating", 2); // all of them
      await stopped(calibrate, "calibrating", 2);
      await stopped(calibrate, "preparing", 30); // of what was written nothing is written again: the second time
      expect(existsSync(inside("plain"))).toBe(false);
      expect(await finish(output, { calibrate })).toEqual(["preparing"]);
      expect(digestOf(output)).toEqual(digestOf(calibrated));
    },
    60_000,
  );

  test("and begun again without calibration, it has none", async () => {
    const output = join(folder, "without");
    const first = prepare(randomModelFolder, output, { calibrate, ...stopAt("calibrating", 1) });
    await expect(first).rejects.toThrow("enough");
    expect(await finish(output, {})).toEqual(["preparing"]);
    expect(digestOf(output)).toEqual(digestOf(plain));
  }, 60_000);
});

describe("is rejected, before anything is written:", () => {
  const output = join(folder, "rejected");
  test.each([
    ["another format", { calibrate, weights: "int8" }, "calibrate is for int4, and weights is int8"],
    ["an empty list", { calibrate: [] }, "calibrate is an empty list"],
    ["what is no list of images with texts", { calibrate: [{ image: photo }] as never }, "calibrate[0].text"],
  ] as const)("%s", async (_, options, message) => {
    await expect(prepare(randomModelFolder, output, options)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining(message),
    });
    expect(existsSync(`${output}.unfinished`)).toBe(false);
  });

  test("a model that does not fit in memory", async () => {
    vi.spyOn(node, "memory").mockReturnValueOnce({ free: 1e8, total: 1e9, buffers: 0 });
    await expect(prepare(randomModelFolder, output, { calibrate })).rejects.toMatchObject({
      code: "memory",
      message: expect.stringMatching(/calibration needs 0\.\d GB, 0\.1 GB are free$/),
      hint: expect.stringContaining("without calibration"),
    });
    expect(existsSync(`${output}.unfinished`)).toBe(false);
  });
});
