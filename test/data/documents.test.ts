/** Documents of MMC4, assembled or rejected as the reference implementation does. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pythonRandom } from "../../src/base/pythonRandom.js";
import { type AssembleOptions, assembleDocument } from "../../src/data/assemble.js";
import { readDocument } from "../../src/data/document.js";
import type { SkipCause } from "../../src/data/skips.js";
import { createTemplate } from "../../src/data/template.js";
import { compared } from "../parity.js";
import { dataFile, dataTokenizer, describeWithData } from "./goldenData.js";
import { base64Of, decode, listed, type Recipe } from "./pictures.js";
import { torchRand } from "./torchRandom.js";

interface Case {
  readonly n: number;
  readonly note: string;
  readonly python_seed: number;
  readonly torch_seed: number;
  readonly params: {
    readonly sim_threshold: number;
    readonly min_num_images: number;
    readonly max_num_images: number;
    readonly max_tokens: number;
  };
  readonly doc?: Readonly<Record<string, unknown>>;
  readonly raw?: string;
  readonly result?: {
    readonly ids: number[];
    readonly images: ([string, string] | null)[];
    readonly attended: number;
  };
  readonly error?: { readonly type: string; readonly text: string };
}

/** Python writes numbers that JSON does not know. */
const noNumber = /(?<=[[,:] ?)(NaN|Infinity)(?=[,\]}])/g;

const cases = () => {
  const text = readFileSync(dataFile("interleaved.json"), "utf8");
  return (JSON.parse(text.replace(noNumber, '"!$1"')) as { cases: Case[] }).cases;
};

/** The file of a document, its images put in. */
function documentFile({ doc, raw }: Pick<Case, "doc" | "raw">): Buffer {
  if (raw !== undefined) return Buffer.from(raw);
  const filled = (item: Recipe & Record<string, unknown>, name: string) => {
    const { picture, bytes, zeros, base64, ...rest } = item;
    const isRecipe = [picture, zeros, base64].some((each) => each !== undefined);
    return isRecipe ? { ...rest, [name]: base64Of(item) } : rest;
  };
  const document = { ...doc };
  if (Array.isArray(document.image_info))
    document.image_info = document.image_info.map((each) => filled(each, "image_base64"));
  if (document.image_map) {
    const map = Object.entries(document.image_map as Record<string, Recipe & Record<string, unknown>>);
    document.image_map = Object.fromEntries(map.map(([key, each]) => [key, filled(each, "base64_image")]));
  }
  return Buffer.from(JSON.stringify(document).replace(/"!(NaN|Infinity)"/g, "$1"));
}

/** The causes that an error of the reference implementation is. */
function causeOf({ type, text }: { readonly type: string; readonly text: string }): SkipCause {
  if (text === "No images in sample" || text.startsWith("torch.cat")) return "no-images";
  if (text === "Only one image in sample") return "one-image";
  if (text.startsWith("Only one image at the end")) return "image-at-end";
  if (text.startsWith("Fewer than")) return "too-few-images";
  return ["UnidentifiedImageError", "OSError"].includes(type) ? "image-unreadable" : "document-invalid";
}

const assemble = (each: Case, options: AssembleOptions, specialTokensInText: boolean) => {
  const tokenizer = dataTokenizer();
  const python = pythonRandom(each.python_seed);
  const torch = torchRand(each.torch_seed);
  const { sim_threshold, min_num_images, max_num_images, max_tokens } = each.params;
  return assembleDocument(
    new Map([["json", documentFile(each)]]),
    {
      ...options,
      tokenizer,
      template: createTemplate(tokenizer, { specialTokensInText }),
      decode,
      similarityThreshold: sim_threshold,
      minImages: min_num_images,
      maxImages: max_num_images,
      maxTokens: max_tokens,
    },
    { flip: () => torch() < 0.5, drop: () => python.random() <= 0.5 },
  );
};

/** The habits of the published training. Its batches of documents have `padImages: 6` besides. */
const asPublished = {
  imagesInIndexOrder: true,
  flipWholeBatch: true,
  cutBeforeLastImage: true,
  specialTokensInText: true,
} as const;

describeWithData("interleaved.json", () => {
  test("every document is assembled or rejected as published", async () => {
    const all = cases();
    expect(all).toHaveLength(130);
    for (const each of all) {
      const made = await assemble(each, asPublished, true);
      const name = `${each.n}: ${each.note}`;
      if (each.error) {
        expect([name, made]).toEqual([name, causeOf(each.error)]);
        compared("training data/documents: rejected", { cases: 1, values: 1 });
        continue;
      }
      expect([name, typeof made]).toEqual([name, "object"]);
      if (typeof made === "string") continue;
      const { ids, images } = each.result!;
      expect([name, Array.from(made.ids)]).toEqual([name, ids]);
      expect([name, await listed(made, images.length)]).toEqual([name, images]);
      compared("training data/documents: ids, images", { cases: 1, values: ids.length + images.length });
    }
  });

  const made = async (n: number, options: AssembleOptions = {}) => {
    const each = cases().find((one) => one.n === n)!;
    const one = await assemble(each, options, false);
    if (typeof one === "string") throw new Error(`${n} is rejected: ${one}`);
    const { image } = dataTokenizer().special;
    return {
      images: (await listed({ ...one, flipped: [] }, one.images.length)).map((slot) => slot![0]),
      imageTokens: one.ids.filter((id) => id === image).length,
      text: dataTokenizer().decode(Array.from(one.ids)),
      flipped: one.flipped,
    };
  };

  test("by default the same documents are assembled to the same ids, but where a habit of the publication shows", async () => {
    const others: number[] = [];
    for (const each of cases()) {
      const one = await assemble(each, {}, false);
      const isSame = each.error
        ? one === causeOf(each.error)
        : typeof one !== "string" && String(Array.from(one.ids)) === String(each.result!.ids);
      if (!isSame) others.push(each.n);
    }
    // 90: special tokens in the text; 118, 119: marks without an image, too many marks; the rest: which of too many images.
    expect(others).toEqual([40, 90, 102, 105, 107, 118, 119]);
  });

  test("by default each image is that of its own <image>", async () => {
    expect((await made(4)).images).toEqual(["p01.png", "p00.jpg"]);
    expect((await made(5)).images).toEqual(["p03.jpg", "p04.png", "p02.png"]);
    expect((await made(121)).images).toEqual(["p01.png", "p00.jpg"]);
  });

  test("by default there are as many images as <image>s", async () => {
    for (const each of cases()) {
      if (each.error) continue;
      const { images, imageTokens } = await made(each.n);
      expect([each.n, images.length]).toEqual([each.n, imageTokens]);
    }
  });

  test("by default a mark without an image is no mark, and the text ends before the first that is too many", async () => {
    expect((await made(118)).text).toBe("<image>a<|endofchunk|><image>b c<|endofchunk|><|endoftext|>");
    const { text, images } = await made(119);
    expect(text).toBe(
      "<image>text 1.<|endofchunk|><image>text 2.<|endofchunk|><image>text 3.<|endofchunk|><|endoftext|>",
    );
    expect(images).toEqual(["p00.jpg", "p01.png", "p02.png"]);
  });

  test("by default special tokens in sentences are letters", async () => {
    const { imageTokens, text } = await made(90);
    expect(imageTokens).toBe(2);
    expect(text.split("<image>").length - 1).toBeGreaterThan(2);
  });

  test("by default each image has a coin of its own; with one coin all have the first", async () => {
    const coins = [true, false, true];
    const each = cases().find(({ n }) => n === 5)!;
    const flips = async (options: AssembleOptions) => {
      const tokenizer = dataTokenizer();
      const one = await assembleDocument(
        new Map([["json", documentFile(each)]]),
        { ...options, tokenizer, template: createTemplate(tokenizer), decode },
        { flip: (i) => coins[i]!, drop: () => false },
      );
      return typeof one === "string" ? one : one.flipped;
    };
    expect(await flips({})).toEqual(coins);
    expect(await flips({ flipWholeBatch: true })).toEqual([true, true, true]);
  });
});

test("the size from which on an image counts can be given", () => {
  const page = (bytes: number) =>
    Buffer.from(
      JSON.stringify({
        text_list: ["a"],
        similarity_matrix: [[1]],
        image_info: [{ image_base64: Buffer.alloc(bytes).toString("base64") }],
      }),
    );
  expect(readDocument(page(10_999))).toBe("no-images");
  expect(readDocument(page(11_000))).toMatchObject({ kind: "page" });
  expect(readDocument(page(99), { minImageBytes: 100 })).toBe("no-images");
  expect(readDocument(page(100), { minImageBytes: 100 })).toMatchObject({ kind: "page" });
});

test("what is no document is rejected, whatever is wrong with it", () => {
  const image = Buffer.alloc(12_000).toString("base64");
  const page = { text_list: ["a"], similarity_matrix: [[1]], image_info: [{ image_base64: image }] };
  const marked = {
    is_gpt: 1,
    example: "_!_IMAGE1_!_ a",
    image_map: { "_!_IMAGE1_!_": { base64_image: image } },
  };
  const read = (value: unknown) => readDocument(Buffer.from(JSON.stringify(value)));
  expect([read(page), read(marked)]).toMatchObject([{ kind: "page" }, { kind: "marked" }]);
  const wrong: unknown[] = [
    "text",
    { ...page, text_list: [1] },
    { ...page, text_list: "a" },
    { ...page, image_info: [1] },
    { ...page, image_info: [{ image_base64: 5 }] },
    { ...page, similarity_matrix: 3 },
    { ...page, similarity_matrix: [3] },
    { ...page, similarity_matrix: [["1"]] },
    { ...marked, example: 1 },
    { ...marked, image_map: [] },
    { ...marked, image_map: { other: { base64_image: image } } },
    { ...marked, image_map: { "_!_IMAGE1_!_": image } },
    { ...marked, image_map: { "_!_IMAGE1_!_": { base64_image: "abcde" } } },
  ];
  for (const value of wrong) expect([value, read(value)]).toEqual([value, "document-invalid"]);
  expect(readDocument(Uint8Array.of(0xff))).toBe("document-invalid");
});
