/** `embed`: CLIP's features of images and texts, by the high-level API. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EmbedInput, type Flamingo, load } from "../../src/index.js";
import { textFeatures } from "../../src/models/clipText.js";
import { visionConfiguration } from "../../src/models/configuration.js";
import { params } from "../../src/models/layers.js";
import { createTokenizer } from "../../src/text/tokenizer.js";
import { clipWithTexts } from "../clipWithTexts.js";
import { golden, randomModelFolder } from "../goldens.js";
import { difference, host } from "../graph/arrays.js";
import { useBackend } from "../graph/evaluate.js";
import { tensorsOf } from "../tensors.js";
import { largestDifference } from "../tinyModel.js";

const image = (name: string) => golden(`tiny-openflamingo-9b/golden/pictures/${name}.png`);
const backend = useBackend();
const folder = mkdtempSync(join(tmpdir(), "embed-"));
const withTexts = join(folder, "with-texts");

let flamingo: Flamingo;
beforeAll(async () => {
  await clipWithTexts(withTexts);
  flamingo = await load(withTexts);
});
afterAll(async () => {
  await flamingo.close();
  rmSync(folder, { recursive: true });
});

test("images come as one vector each, in their order, as wide as embed_dim and not normalised", async () => {
  const [p0, p1, again] = await flamingo.embed({ images: [image("p0"), image("p1"), image("p0")] });
  expect(p0).toBeInstanceOf(Float32Array);
  expect(p0).toHaveLength(24);
  expect(again).toEqual(p0);
  expect(p1).not.toEqual(p0);
  expect(Math.abs(Math.hypot(...p0!) - 1)).toBeGreaterThan(0.1);
});

test("an image beside others has the same features, and generation is not disturbed", async () => {
  const before = await flamingo.caption(image("p0"));
  const [alone] = await flamingo.embed({ images: [image("p1")] });
  const [[, beside], after] = await Promise.all([
    flamingo.embed({ images: [image("p0"), image("p1")] }),
    flamingo.caption(image("p0")),
  ]);
  expect(beside).toEqual(alone);
  expect(after).toEqual(before);
});

test("texts are read by CLIP's own tokenizer, and their features are those of the model's function", async () => {
  const texts = [
    "a cat",
    "A photo of two dogs, running.",
    "",
    "<|endoftext|> is text here",
    "too long ".repeat(30),
  ];
  const found = await flamingo.embed({ texts });
  const configFile = join(withTexts, "clip/open_clip_config.json");
  const config = visionConfiguration(configFile, JSON.parse(readFileSync(configFile, "utf8"))).text();
  const file = await tensorsOf(join(withTexts, "clip/open_clip_pytorch_model.bin"));
  const weights = [...file].map(
    ([name, { shape, data }]) => [name, { shape, data: Array.from(data) }] as const,
  );
  const tokenizer = createTokenizer(
    JSON.parse(readFileSync(golden("tokenizer/clip.tokenizer.json"), "utf8")),
  );
  for (const [i, text] of texts.entries()) {
    const ids = tokenizer.encode(text, { specialTokens: false });
    // As the reference implementation does: zeros up to the tower's length, or a cut whose last id is the end token.
    const padded = Int32Array.from({ length: config.contextLength }, (_, place) => ids[place] ?? 0);
    if (ids.length > config.contextLength) padded[config.contextLength - 1] = ids.at(-1)!;
    const { expected } = await backend.evaluate(
      { ids: host({ shape: [1, padded.length], data: Array.from(padded) }, "int32") },
      ({ ids }, graph) => ({ expected: textFeatures(params(graph), ids!, config) }),
      Object.fromEntries(weights),
    );
    const off = difference({ shape: [1, 24], data: Array.from(found[i]!) }, expected!);
    console.log(`${JSON.stringify(text)}, ${ids.length} tokens: ${off.toExponential(1)}`);
    expect(off).toBeLessThan(1e-6);
  }
});

test("a text that is too long is cut, with its end token", async () => {
  const words = "one two three four five six seven eight nine ten ".repeat(10);
  const [long, longer, short] = await flamingo.embed({ texts: [words, words + words, "one"] });
  expect(longer).toEqual(long);
  expect(short).not.toEqual(long);
});

test("ort.binding gives the same features", async () => {
  await using other = await load(withTexts, { backend: "ort.binding" });
  for (const input of [{ images: [image("p0")] }, { texts: ["a cat"] }] satisfies EmbedInput[]) {
    const [ours] = await flamingo.embed(input);
    const [theirs] = await other.embed(input);
    const off = largestDifference(ours!, theirs!);
    console.log(`${Object.keys(input)}: ${off.toExponential(1)}`);
    expect(off).toBeLessThan(1e-5);
  }
});

describe("wrong usage", () => {
  test.each([
    ["nothing", {}],
    ["images and texts", { images: [image("p0")], texts: ["a"] }],
    ["no image", { images: [] }],
    ["no text", { texts: [] }],
    ["a text outside of a list", { texts: "a cat" }],
  ])("%s", async (_, input) => {
    await expect(flamingo.embed(input as EmbedInput)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("`images` or a list of `texts`"),
    });
  });

  test("an image that is not there is rejected with a specific error", async () => {
    await expect(flamingo.embed({ images: [image("p0"), "none.jpg"] })).rejects.toMatchObject({
      code: "image-missing",
      message: expect.stringContaining("none.jpg"),
    });
  });

  test("a signal stops it with its own reason", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(flamingo.embed({ images: [image("p0")] }, { signal })).rejects.toThrow("enough");
    await expect(flamingo.embed({ texts: ["a"] }, { signal })).rejects.toThrow("enough");
  });
});

describe("texts of a model whose CLIP is not ready for them", () => {
  const rejection = async (change: (clip: string) => void) => {
    const model = mkdtempSync(join(folder, "model-"));
    cpSync(randomModelFolder, model, { recursive: true });
    change(join(model, "clip"));
    await using changed = await load(model);
    await changed.embed({ images: [image("p0")] }); // images go on
    return changed.embed({ texts: ["a cat"] }).catch((error: unknown) => error);
  };
  const tokenizer = golden("tokenizer/clip.tokenizer.json");

  test("no tokenizer: the error says which file to put where", async () => {
    expect(await rejection(() => {})).toMatchObject({
      code: "model-missing",
      message: expect.stringMatching(/clip.tokenizer\.json: there is no such file/),
      hint: expect.stringContaining("tokenizer.json"),
    });
  });

  test("a tokenizer with more tokens than the tower has", async () => {
    const error = await rejection((clip) => cpSync(tokenizer, join(clip, "tokenizer.json")));
    expect(error).toMatchObject({
      code: "tokenizer-invalid",
      message: expect.stringMatching(/clip.tokenizer\.json: has 1236 tokens.* knows 140$/),
    });
  });

  const vocabulary = (size: number, clip: string) => {
    const file = join(clip, "open_clip_config.json");
    const config = JSON.parse(readFileSync(file, "utf8"));
    config.model_cfg.text_cfg.vocab_size = size;
    writeFileSync(file, JSON.stringify(config));
  };

  test("the language model's tokenizer", async () => {
    const error = await rejection((clip) => {
      vocabulary(2000, clip);
      cpSync(golden("tokenizer/neox.tokenizer.json"), join(clip, "tokenizer.json"));
    });
    expect(error).toMatchObject({
      code: "tokenizer-invalid",
      message: expect.stringContaining("ends with none"),
      hint: expect.stringContaining("this CLIP"),
    });
  });

  test("weights for another number of tokens", async () => {
    const error = await rejection((clip) => {
      vocabulary(1236, clip);
      cpSync(tokenizer, join(clip, "tokenizer.json"));
    });
    expect(error).toMatchObject({
      code: "checkpoint-mismatch",
      message: expect.stringContaining('"token_embedding.weight"'),
    });
  });
});
