/** CLIP's features from prepared folders, beside those of the checkpoints in float32. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepare } from "../../src/api/prepare.node.js";
import { type EmbedInput, load } from "../../src/index.js";
import { clipWithTexts } from "../clipWithTexts.js";
import { golden } from "../goldens.js";
import { backends } from "../runtime/backends.js";
import { safetensors, tensorsOf } from "../tensors.js";

const photos = ["chelsea.png", "coffee.png"].map((name) => golden(`photos/${name}`));
const images: EmbedInput = { images: photos };
const texts: EmbedInput = { texts: ["a cat", "A cup of coffee on a table."] };
const folder = mkdtempSync(join(tmpdir(), "prepared-features-"));
const model = join(folder, "model");
let exact: readonly Float32Array[];

beforeAll(async () => {
  await clipWithTexts(model);
  exact = await featuresOf(model);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Of the images, then of the texts. */
async function featuresOf(of: string, options: Parameters<typeof load>[1] = {}): Promise<Float32Array[]> {
  await using flamingo = await load(of, { onNotice: () => {}, ...options });
  return [...(await flamingo.embed(images)), ...(await flamingo.embed(texts))];
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe.each([
  ["fp32", 0.9999999],
  ["fp16", 0.999999],
  ["int8", 0.999],
  ["int4", 0.999],
] as const)("prepared as %s", (weights, least) => {
  const prepared = join(folder, weights);
  beforeAll(() => prepare(model, prepared, { weights }));

  test.each(backends)("$name: images and texts are near those of the checkpoint", async ({ name }) => {
    const found = await featuresOf(prepared, { backend: name });
    const cosines = found.map((each, i) => cosine(each, exact[i]!));
    console.log(`${weights} by ${name}: ${cosines.map((each) => each.toFixed(6))}`);
    expect(Math.min(...cosines)).toBeGreaterThan(least);
  });

  test("and those of the checkpoint, brought into this format while it is loaded", async () => {
    expect(await featuresOf(model, { weights })).toEqual(await featuresOf(prepared));
  });
});

describe("a checkpoint that does not hold the whole of CLIP", () => {
  test.each([
    ["text", /^visual\.|^logit_scale$/, texts, images],
    ["vision", /^(?!visual\.proj$)/, images, texts],
  ] as const)("is prepared without its %s tower", async (tower, kept, missing, there) => {
    const part = join(folder, `without-${tower}`);
    await clipWithTexts(part);
    const file = join(part, "clip/open_clip_pytorch_model.bin");
    writeFileSync(
      file,
      safetensors(new Map([...(await tensorsOf(file))].filter(([name]) => kept.test(name)))),
    );
    const prepared = `${part}-int4`;
    await prepare(part, prepared);
    await using flamingo = await load(prepared, { onNotice: () => {} });
    await expect(flamingo.embed(missing)).rejects.toMatchObject({
      code: "model-unsupported",
      message: expect.stringContaining(`without the whole of CLIP's ${tower} tower`),
      hint: expect.stringContaining("Prepare the model again"),
    });
    expect(await flamingo.embed(there)).toHaveLength(2);
    expect((await flamingo.caption(photos[0]!)).ids.length).toBeGreaterThan(0);
  });
});

test("the matrices of the text tower are kept in 8 bits, each once", async () => {
  const { tensors } = JSON.parse(readFileSync(join(folder, "int4/weights.json"), "utf8")) as {
    tensors: { name: string; dtype: string; shape: number[] }[];
  };
  const names = tensors.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const ofText = tensors.filter(({ name }) => /^(transformer|token_embedding)\..*:values$/.test(name));
  expect(ofText.length).toBeGreaterThan(4);
  expect(new Set(ofText.map(({ dtype, shape }) => `${dtype} ${shape[2]}`))).toEqual(new Set(["uint8 128"]));
  expect(names.filter((name) => /^visual\./.test(name))).toEqual([]);
});
