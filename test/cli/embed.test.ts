/** `openflamingo embed` writes the library's features, a line of JSON each. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../../src/index.js";
import { clipWithTexts } from "../clipWithTexts.js";
import { golden } from "../goldens.js";
import { tensorsOf } from "../tensors.js";
import { runInProcess } from "./inProcess.js";
import { run } from "./run.js";

const cat = golden("photos/chelsea.png");
const rocket = golden("photos/rocket.jpg");
const folder = mkdtempSync(join(tmpdir(), "cli-embed-"));
const model = join(folder, "model");
beforeAll(() => clipWithTexts(model));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly image?: string;
  readonly text?: string;
  readonly features: readonly number[];
}
const linesOf = (stdout: string): Line[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

test("images and texts come as lines of JSON, and every number is the library's float32", async () => {
  const { stdout, stderr, code } = await run([
    "embed",
    "--model",
    model,
    "--quiet",
    cat,
    rocket,
    "--text",
    "a cat",
    "--text",
    "a, b",
  ]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const lines = linesOf(stdout);
  expect(lines.map(({ features: _, ...what }) => what)).toEqual([
    { image: cat },
    { image: rocket },
    { text: "a cat" },
    { text: "a, b" },
  ]);
  await using flamingo = await load(model);
  const images = await flamingo.embed({ images: [cat, rocket] });
  const texts = await flamingo.embed({ texts: ["a cat", "a, b"] });
  expect(lines.map(({ features }) => Float32Array.from(features))).toEqual([...images, ...texts]);
  // Nine digits are enough for any float32; JSON would write the seventeen of a float64.
  const digits = stdout.match(/\d+\.\d+/g)!.map((number) => number.replace(/^0\.0*|\./g, "").length);
  expect(Math.max(...digits)).toBeLessThanOrEqual(9);
});

test("--output writes all of them to a safetensors file, with their names", async () => {
  const file = join(folder, "features.safetensors");
  const args = [
    "embed",
    "--model",
    model,
    "--quiet",
    "--output",
    file,
    cat,
    "none.jpg",
    rocket,
    "--text",
    "a cat",
  ];
  const { stdout, code } = await runInProcess(args);
  expect(stdout).toBe("");
  expect(code).toBe(3); // of the image that is not there
  await using flamingo = await load(model);
  const found = [
    ...(await flamingo.embed({ images: [cat, rocket] })),
    ...(await flamingo.embed({ texts: ["a cat"] })),
  ];
  const { shape, data } = (await tensorsOf(file)).get("features")!;
  expect(shape).toEqual([3, found[0]!.length]);
  expect([...data]).toEqual(found.flatMap((each) => [...each]));
  const bytes = readFileSync(file);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  expect(JSON.parse(header.__metadata__.names)).toEqual([cat, rocket, "a cat"]);
});

test("a file that cannot be written is reported before any work", async () => {
  const { stdout, stderr, code } = await runInProcess([
    "embed",
    "--quiet",
    "--output",
    join(folder, "none/a"),
    cat,
  ]);
  expect(stdout).toBe("");
  expect(stderr).toContain("none/a: cannot be written: there is no such folder");
  expect(code).toBe(6);
});

test("--unit-length writes vectors of length 1 in the same direction", async () => {
  const features = async (...flags: string[]) =>
    linesOf((await runInProcess(["embed", "--quiet", cat, ...flags])).stdout)[0]!.features;
  const plain = await features();
  const unit = await features("--unit-length");
  expect(Math.hypot(...unit)).toBeCloseTo(1, 6);
  const length = Math.hypot(...plain);
  unit.forEach((value, i) => {
    expect(value).toBeCloseTo(plain[i]! / length, 6);
  });
});

test("an image that cannot be read does not keep the others back, and 3 comes at the end", async () => {
  const { stdout, stderr, code } = await runInProcess(["embed", "--quiet", "none.jpg", cat]);
  expect(linesOf(stdout).map(({ image }) => image)).toEqual([cat]);
  expect(stderr).toContain("none.jpg");
  expect(code).toBe(3);
});

test("a text without CLIP's tokenizer is the model's fault, reported as JSON under --json", async () => {
  // Before the image, whose work would be for nothing.
  const { stdout, stderr, code } = await runInProcess(["embed", "--quiet", "--json", cat, "--text", "a cat"]);
  expect(stdout).toBe("");
  expect(JSON.parse(stderr).error).toMatchObject({
    code: "model-missing",
    message: expect.stringContaining("tokenizer.json"),
  });
  expect(code).toBe(4);
});

test("neither image nor text is wrong usage", async () => {
  const { stderr, code } = await runInProcess(["embed"]);
  expect(stderr).toContain("no image and no text");
  expect(code).toBe(2);
});

test("help has examples", async () => {
  const { stdout, code } = await runInProcess(["embed", "--help"]);
  expect(stdout).toContain("Examples:");
  expect(code).toBe(0);
});
