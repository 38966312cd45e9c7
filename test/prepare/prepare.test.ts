/** Prepared folders: what is written, that it goes on where it was killed, and that nothing damaged is opened. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepare } from "../../src/api/prepare.node.js";
import { randomStream } from "../../src/base/random.js";
import { load } from "../../src/index.js";
import { runInProcess } from "../cli/inProcess.js";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";

const kills = Number(process.env.OPENFLAMINGO_KILLS ?? 4);
const photo = golden("photos/chelsea.png");
const folder = mkdtempSync(join(tmpdir(), "prepare-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const int4 = join(folder, "int4");
beforeAll(() => prepare(randomModelFolder, int4));

async function idsOf(model: string, options: Parameters<typeof load>[1] = {}): Promise<readonly number[]> {
  const flamingo = await load(model, { onNotice: () => {}, ...options });
  try {
    return (await flamingo.caption(photo)).ids;
  } finally {
    await flamingo.close();
  }
}

/** Of the weights and their index. */
const digestOf = (of: string) =>
  ["weights.bin", "weights.json"].map((file) =>
    createHash("sha256")
      .update(readFileSync(join(of, file)))
      .digest("hex"),
  );

describe("the answers of a prepared folder are those of its format", () => {
  test.each(["int4", "int8", "fp32"] as const)("%s", async (weights) => {
    const output = weights === "int4" ? int4 : join(folder, weights);
    if (weights !== "int4") await prepare(randomModelFolder, output, { weights });
    const expected = await idsOf(randomModelFolder, { weights });
    expect(await idsOf(output)).toEqual(expected);
    expect(await idsOf(output, { backend: "ort.binding", weights })).toEqual(expected);
  });
});

test("the error of every product is reported", async () => {
  const { errors, bytes } = await prepare(randomModelFolder, join(folder, "errors"), { block: 32 });
  expect(bytes).toBe(readFileSync(join(folder, "errors/weights.bin")).length);
  const of = (pattern: RegExp) =>
    [...errors].filter(([name]) => pattern.test(name)).map(([, error]) => error);
  expect(Math.max(...of(/vision_encoder/))).toBeLessThan(0.02);
  expect(Math.max(...of(/ffn/))).toBeLessThan(0.13);
  expect(Math.min(...of(/ffn/))).toBeGreaterThan(0.03);
});

test("stopped after any weight, it goes on to the same bytes", async () => {
  const output = join(folder, "stopped");
  let calls = 0;
  for (const after of [1, 3, 40, 100]) {
    const controller = new AbortController();
    const stop = () => {
      if (++calls % (after + 1) === after) controller.abort(new Error("enough"));
    };
    const { signal } = controller;
    await expect(prepare(randomModelFolder, output, { signal, onProgress: stop })).rejects.toThrow("enough");
    expect(existsSync(output)).toBe(false);
  }
  await prepare(randomModelFolder, output);
  expect(digestOf(output)).toEqual(digestOf(int4));
  expect(existsSync(`${output}.unfinished`)).toBe(false);
});

test("what a killed process left half-written is written again", async () => {
  const output = join(folder, "torn");
  const controller = new AbortController();
  const onProgress = (done: number, total: number) =>
    done > total / 2 && controller.abort(new Error("enough"));
  const stopped = prepare(randomModelFolder, output, { signal: controller.signal, onProgress });
  await expect(stopped).rejects.toThrow("enough");
  const [data, journal] = ["weights.bin", "journal.jsonl"].map((file) => join(`${output}.unfinished`, file));
  const lines = readFileSync(journal!, "utf8").split("\n").slice(1, -1);
  const { offset } = JSON.parse(lines[Math.floor(lines.length / 2)]!) as { offset: number };
  const bytes = readFileSync(data!);
  bytes[offset]! ^= 1;
  writeFileSync(data!, bytes);
  writeFileSync(journal!, readFileSync(journal!, "utf8").slice(0, -20)); // a line that breaks off
  await prepare(randomModelFolder, output);
  expect(digestOf(output)).toEqual(digestOf(int4));
});

test("a journal that was changed is believed as far as it is sound", async () => {
  const stopped = join(folder, "stopped for the journal");
  const controller = new AbortController();
  const stopping = prepare(randomModelFolder, stopped, {
    signal: controller.signal,
    onProgress: (done, total) => done > total / 2 && controller.abort(new Error("enough")),
  });
  await expect(stopping).rejects.toThrow("enough");
  for (const line of ["5", "{}", '{"name":"w","dtype":"uint8","shape":[1e9,1e9],"offset":0,"sha256":"00"}']) {
    const output = join(folder, `journal ${line.length}`);
    cpSync(`${stopped}.unfinished`, `${output}.unfinished`, { recursive: true });
    const journal = join(`${output}.unfinished`, "journal.jsonl");
    const [key, ...lines] = readFileSync(journal, "utf8").split("\n");
    writeFileSync(journal, [key, line, ...lines].join("\n"));
    await prepare(randomModelFolder, output);
    expect(digestOf(output)).toEqual(digestOf(int4));
  }
});

test("of two at once, one prepares, and the other finds the folder there", async () => {
  const output = join(folder, "two");
  const both = await Promise.allSettled([1, 2].map(() => prepare(randomModelFolder, output)));
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(both.find((each) => each.status === "rejected")).toMatchObject({ reason: { code: "usage" } });
  expect(digestOf(output)).toEqual(digestOf(int4));
});

test("begun with other settings, it begins anew", async () => {
  const output = join(folder, "other");
  const controller = new AbortController();
  const onProgress = (done: number, total: number) =>
    done > total / 2 && controller.abort(new Error("enough"));
  const first = { weights: "int8", signal: controller.signal, onProgress } as const;
  await expect(prepare(randomModelFolder, output, first)).rejects.toThrow("enough");
  await prepare(randomModelFolder, output);
  expect(digestOf(output)).toEqual(digestOf(int4));
});

slowTest(
  `killed at ${kills} random moments, it goes on to the same bytes`,
  async () => {
    const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
    const random = randomStream(1, "kills of prepare");
    const output = join(folder, "killed");
    const args = [main, "prepare", randomModelFolder, "--output", output, "--quiet"];
    const once = (after: number) =>
      new Promise<boolean>((resolve) => {
        const child = spawn(process.execPath, args, { stdio: "ignore" });
        const timer = setTimeout(() => child.kill("SIGKILL"), after);
        child.once("close", (_, signal) => {
          clearTimeout(timer);
          resolve(signal === "SIGKILL");
        });
      });
    const start = performance.now();
    await once(60_000);
    const longest = performance.now() - start;
    expect(digestOf(output)).toEqual(digestOf(int4));
    for (let killed = 0, i = 0; killed < kills && i < 20 * kills; i++) {
      rmSync(output, { recursive: true, force: true });
      if (await once(random.uniform(i) * longest)) killed++;
      if (!existsSync(output)) continue;
      expect(digestOf(output)).toEqual(digestOf(int4)); // it had ended, or was killed after the last step
    }
    rmSync(output, { recursive: true, force: true });
    await once(60_000);
    expect(digestOf(output)).toEqual(digestOf(int4));
  },
  600_000,
);

describe("a damaged folder is rejected", () => {
  const damaged = (name: string, damage: (of: string) => void): string => {
    const copy = join(folder, `damaged ${name}`);
    cpSync(int4, copy, { recursive: true });
    damage(copy);
    return copy;
  };
  const change = (file: string, from: string | RegExp, to: string) => (of: string) => {
    const path = join(of, file);
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(from);
    writeFileSync(path, text.replace(from, to));
  };
  test.each([
    ["weights that are cut", (of: string) => truncateSync(join(of, "weights.bin"), 1000), "has 1000 bytes"],
    ["weights that are missing", (of: string) => rmSync(join(of, "weights.bin")), "weights.bin is not there"],
    [
      "an index that is missing",
      (of: string) => rmSync(join(of, "weights.json")),
      "weights.json is not there",
    ],
    [
      "an index that was changed",
      change("weights.json", '"offset":0', '"offset":64'),
      "is not the file that belongs",
    ],
    [
      "an earlier version",
      change("openflamingo.json", /"prepared": \{\s*"version": 3/, '"prepared": {"version": 2'),
      "was prepared in version 2; this program reads version 3",
    ],
    [
      "a later version",
      change("openflamingo.json", /"prepared": \{\s*"version": 3/, '"prepared": {"version": 4'),
      "was prepared in version 4; this program reads version 3",
    ],
    [
      "a format that is not known",
      change("openflamingo.json", '"int4"', '"int3"'),
      'prepared.weights is "int3"',
    ],
    ["another format than was written", change("openflamingo.json", '"int4"', '"int8"'), "should be uint8"],
    ["another block", change("openflamingo.json", '"block": 128', '"block": 64'), "should be uint8"],
  ])("%s", async (name, damage, message) => {
    await expect(load(damaged(name, damage), { onNotice: () => {} })).rejects.toMatchObject({
      name: "OpenFlamingoError",
      code: expect.stringMatching(/^model-/),
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
  });

  test.each([
    ["a tensor twice", (tensors: object[]) => [...tensors, tensors[0]!], "twice"],
    [
      "a tensor beyond the end",
      ([first, ...rest]: object[]) => [{ ...first, offset: 2 ** 40 }, ...rest],
      "beyond",
    ],
    [
      "a tensor out of step",
      ([first, ...rest]: object[]) => [{ ...first, offset: 1 }, ...rest],
      "not aligned",
    ],
    [
      "a checksum that is none",
      ([first, ...rest]: object[]) => [{ ...first, sha256: "../x" }, ...rest],
      "a SHA-256",
    ],
  ])("an index with %s", async (name, changed, message) => {
    const of = damaged(name, (of) => {
      const index = JSON.parse(readFileSync(join(of, "weights.json"), "utf8")) as { tensors: object[] };
      const json = JSON.stringify({ ...index, tensors: changed(index.tensors) });
      writeFileSync(join(of, "weights.json"), json);
      const sha256 = createHash("sha256").update(json).digest("hex");
      change("openflamingo.json", /"sha256": "\w+"/, `"sha256": "${sha256}"`)(of);
    });
    await expect(load(of, { onNotice: () => {} })).rejects.toMatchObject({
      code: "model-invalid",
      message: expect.stringContaining(message),
    });
  });
});

describe("the bytes of the weights are compared with their checksums", () => {
  const copied = (name: string): string => {
    const copy = join(folder, name);
    cpSync(int4, copy, { recursive: true });
    return copy;
  };
  /** Opens a folder. @returns whether it was compared */
  async function opened(of: string): Promise<boolean> {
    const work = new Set<string>();
    const onProgress = (_done: number, _total: number, what: string) => void work.add(what);
    await (await load(of, { onNotice: () => {}, onProgress })).close();
    return work.has("checking");
  }
  const flipOneBit = (of: string) => {
    const path = join(of, "weights.bin");
    const { mtime, atime } = statSync(path);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    utimesSync(path, atime, mtime); // as if nothing had been written
  };
  const other = {
    code: "model-invalid",
    message: expect.stringMatching(/the bytes of "\S+" in weights\.bin are not those that were written/),
  };

  test("not of a folder that was prepared here, once of one that was copied", async () => {
    expect(await opened(int4)).toBe(false);
    const copy = copied("copied");
    expect(await opened(copy)).toBe(true);
    expect(await opened(copy)).toBe(false);
  });

  test("a bit that is another one is found, in a copy and where it was compared before", async () => {
    const copy = copied("flipped");
    flipOneBit(copy);
    await expect(opened(copy)).rejects.toMatchObject(other);
    await expect(opened(copy)).rejects.toMatchObject(other); // nothing was noted
    flipOneBit(copy); // back
    expect(await opened(copy)).toBe(true);
    flipOneBit(copy);
    await expect(opened(copy)).rejects.toMatchObject(other);
  });

  test("a note of other weights, or one that is none, is not believed; without the right to write one, it goes on", async () => {
    const copy = copied("noted");
    const note = join(copy, "weights.checked.json");
    for (const text of ["", "{}", readFileSync(join(int4, "weights.checked.json"), "utf8")]) {
      writeFileSync(note, text);
      expect(await opened(copy)).toBe(true);
      expect(readFileSync(note, "utf8")).not.toBe(text);
    }
    rmSync(note);
    mkdirSync(note);
    expect(await opened(copy)).toBe(true);
  });
});

describe("what cannot be prepared, or opened in that way", () => {
  test("a folder that is there already, and one that was prepared", async () => {
    await expect(prepare(randomModelFolder, int4)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("is there already"),
    });
    await expect(prepare(int4, join(folder, "again"))).rejects.toMatchObject({
      code: "model-unsupported",
      message: expect.stringContaining("was prepared already, as int4"),
    });
  });

  test("another format than was prepared", async () => {
    await expect(load(int4, { weights: "int8" })).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("was prepared as int4, not as int8"),
    });
  });

  test("a place that cannot be written to", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(prepare(randomModelFolder, join(folder, "file/model"))).rejects.toMatchObject({
      code: "disk",
      message: expect.stringContaining("cannot be written"),
    });
  });

  test("on the command line, with its names and exit codes", async () => {
    const output = join(folder, "by command");
    const made = await runInProcess([
      "prepare",
      randomModelFolder,
      "--weights",
      "int8",
      "--output",
      output,
      "--json",
    ]);
    expect(made.code).toBe(0);
    expect(JSON.parse(made.stdout)).toMatchObject({ folder: output, bytes: expect.any(Number) });
    expect((await runInProcess(["caption", "--quiet", "--model", output, photo])).code).toBe(0);
    expect((await runInProcess(["prepare", randomModelFolder, "--output", output])).code).toBe(2);
    expect((await runInProcess(["prepare", randomModelFolder, "--block", "7"])).code).toBe(2);
    expect((await runInProcess(["prepare", join(folder, "none")])).code).toBe(4);
  });
});
