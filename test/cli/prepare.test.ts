/** `openflamingo prepare` with lists of images and texts, and with tensors that are kept. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { golden, randomModelFolder } from "../goldens.js";
import { slowTest } from "../slow.js";
import { run } from "./run.js";

const folder = mkdtempSync(join(tmpdir(), "prepare-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const list = join(folder, "list.json");
writeFileSync(list, JSON.stringify([{ image: golden("photos/coffee.png"), text: "A cup." }]));

slowTest(
  "--calibrate and --keep",
  async () => {
    const output = join(folder, "made");
    const how = ["--calibrate", list, "--keep", "wte=int8", "--keep", "blocks.0.=fp32"];
    const made = await run(["prepare", randomModelFolder, ...how, "--output", output, "--quiet"]);
    expect(made).toMatchObject({ code: 0, stdout: `${output}\n` });
    const { prepared } = JSON.parse(readFileSync(join(output, "openflamingo.json"), "utf8"));
    expect(prepared.keep).toEqual({ wte: "int8", "blocks.0.": "fp32" });
    expect(prepared.calibration).toMatchObject({ samples: 1 });
  },
  60_000,
);

slowTest(
  "--report writes nothing, and --json has every matrix",
  async () => {
    const { code, stdout } = await run(["prepare", randomModelFolder, "--report", list, "--json", "--quiet"]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ reference: "fp32", samples: 1, tooLarge: [] });
    expect(report.formats).toHaveLength(7);
    const { errors } = report.formats.find(({ name }: { name: string }) => name === "int4 b128");
    expect(errors["lang_encoder.transformer.blocks.0.attn.Wqkv.weight"]).toBeGreaterThan(0.05);
    expect(existsSync(`${randomModelFolder}-int4`)).toBe(false);
  },
  60_000,
);

test.each([
  [["--keep", "wte"], 2, "Not a part of a name with =int8 or =fp32."],
  [["--report", list, "--output", "x"], 2, "cannot be used with"],
  [["--calibrate", join(folder, "none")], 3, "cannot be read (ENOENT)"],
  [["--calibrate", list, "--weights", "int8"], 2, "--calibrate is for int4, and --weights is int8"],
] as const)("%j is reported", async (options, code, message) => {
  const found = await run(["prepare", randomModelFolder, ...options]);
  expect(found.code).toBe(code);
  expect(found.stderr).toContain(message);
});
