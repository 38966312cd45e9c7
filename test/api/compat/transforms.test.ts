/** The compatible API's tokenizer, image processor and `stack`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { image, type ModelAndTransforms, stack } from "../../../src/index.js";
import { golden as goldenFile } from "../../goldens.js";
import { tinyModel9bWith } from "../../tinyModel.js";
import { createTinyModel } from "./opened.js";

describe.each(tinyModel9bWith("inputs.safetensors", "images and texts"))("$name", (golden) => {
  let created: ModelAndTransforms;
  beforeAll(async () => {
    created = await createTinyModel(golden);
  });
  afterAll(() => created.model.close());

  test("the image processor gives the reference implementation's tensor, of a path and of an image()", async () => {
    const inputs = await golden.goldenTensors("inputs.safetensors");
    const path = goldenFile(`${golden.name}/golden/pictures/p0.png`);
    const expected = inputs.get("pixels.p0")!;
    for (const source of [path, image(path)]) {
      const { shape, data } = await created.imageProcessor(source);
      expect(shape).toEqual(expected.shape);
      expect(data).toEqual(expected.data);
    }
  });

  describe("the tokenizer", () => {
    test("pads on the side that is set, and says so in the mask", () => {
      const { tokenizer } = created;
      const texts = ["<image>Output:", "<image>"];
      expect(tokenizer(texts, { padding: true }).attentionMask[1]!.at(-1)).toBe(0);
      tokenizer.paddingSide = "left";
      const { inputIds, attentionMask } = tokenizer(texts, { padding: "longest" });
      expect(attentionMask[1]).toEqual(inputIds[1]!.map((id) => (id === tokenizer.padTokenId ? 0 : 1)));
      expect(inputIds[1]![0]).toBe(tokenizer.padTokenId);
      tokenizer.paddingSide = "right";
    });

    test("cuts and fills to a length", () => {
      const { tokenizer } = created;
      const options = { padding: "max_length", truncation: true, maxLength: 3 } as const;
      const { inputIds } = tokenizer(["<image>Output:", "<image>"], options);
      expect(inputIds.map(({ length }) => length)).toEqual([3, 3]);
      expect(inputIds[0]).toEqual(tokenizer.encode("<image>Output:").slice(0, 3));
    });

    test("without padding rejects texts of unequal length, as with tensors there", () => {
      expect(() => created.tokenizer(["<image>", "a dog"])).toThrow("tokenizer: the texts have 1, ");
      expect(() => created.tokenizer("a", { truncation: true })).toThrow("truncation needs maxLength");
    });

    test("decodes with punctuation moved to its word, or as it is", () => {
      const { tokenizer } = created;
      const ids = tokenizer.encode("a dog .<|endofchunk|>");
      expect(tokenizer.decode(ids)).toBe("a dog.<|endofchunk|>");
      expect(tokenizer.decode(ids, { skipSpecialTokens: true, cleanUpTokenizationSpaces: false })).toBe(
        "a dog .",
      );
    });
  });
});

describe("stack", () => {
  const image = (value: number) => ({ shape: [3, 2, 2], data: new Float32Array(12).fill(value) });

  test("makes one prompt's images six-dimensional, promised ones too", async () => {
    const { shape, data } = await stack([image(1), Promise.resolve(image(2))]);
    expect(shape).toEqual([1, 2, 1, 3, 2, 2]);
    expect([data[0], data[12]]).toEqual([1, 2]);
  });

  test("fills prompts with fewer images up with zeros", async () => {
    const { shape, data } = await stack([[image(1)], [image(2), image(3)]]);
    expect(shape).toEqual([2, 2, 1, 3, 2, 2]);
    expect([0, 12, 24, 36].map((at) => data[at])).toEqual([1, 0, 2, 3]);
  });

  test("rejects images of different shapes", async () => {
    const other = { shape: [3, 1, 1], data: new Float32Array(3) };
    await expect(stack([image(1), other])).rejects.toMatchObject({
      code: "shape",
      message: "stack: an image is (3, 1, 1), the first one (3, 2, 2)",
    });
  });
});

test("a folder that is none says which file was looked for", async () => {
  const { createModelAndTransforms } = await import("../../../src/index.js");
  const options = {
    clipVisionEncoderPath: "ViT-L-14",
    clipVisionEncoderPretrained: "nowhere/ViT-L-14.pt",
    langEncoderPath: "./nowhere/mpt-7b", // without the point it would be a name on the hub
    tokenizerPath: "./nowhere/mpt-7b",
  };
  await expect(createModelAndTransforms(options)).rejects.toMatchObject({
    code: "model-missing",
    message: expect.stringMatching(/nowhere.mpt-7b.tokenizer\.json: cannot be read/),
  });
  await expect(createModelAndTransforms({ ...options, crossAttnEveryNLayers: 0 })).rejects.toMatchObject({
    code: "usage",
  });
});

test("weights of CLIP by a name that is not supported are rejected before anything is fetched", async () => {
  const { createModelAndTransforms } = await import("../../../src/index.js");
  for (const [encoder, weights] of [
    ["ViT-L-14", "laion2b_s32b_b82k"],
    ["ViT-B-32", "openai"],
  ] as const) {
    const call = createModelAndTransforms({
      clipVisionEncoderPath: encoder,
      clipVisionEncoderPretrained: weights,
      langEncoderPath: "owner/never-asked-for",
      tokenizerPath: "owner/never-asked-for",
    });
    await expect(call).rejects.toMatchObject({
      code: "usage",
      message: `clipVisionEncoderPretrained is "${weights}" for "${encoder}": the one name that is supported is "openai", for "ViT-L-14"`,
    });
  }
});
