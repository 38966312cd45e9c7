/** Documents of MMC4, assembled or rejected as the reference implementation does. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pythonRandom } from "../../src/base/pythonRandom.js";
import { type AssembleOptions, assembleDocument } from "../../src/data/assemble.js";
import type { SkipCause } from "../../src/data/skips.js";
import { createTemplate } from "../../src/data/template.js";
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
export function documentFile({ doc, raw }: Pick<Case, "doc" | "raw">): Buffer {
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

const asPublished = {
  imagesInIndexOrder: true,
  oneFlipCoin: true,
  cutBeforeLastImage: true,
} satisfies AssembleOptions;

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

describeWithData("interleaved.json", () => {
  test("every document is assembled or rejected as published", async () => {
    const all = cases();
    expect(all).toHaveLength(130);
    for (const each of all) {
      const made = await assemble(each, asPublished, true);
      const name = `${each.n}: ${each.note}`;
      if (each.error) {
        expect([name, made]).toEqual([name, causeOf(each.error)]);
        continue;
      }
      expect([name, typeof made]).toEqual([name, "object"]);
      if (typeof made === "string") continue;
      const { ids, images } = each.result!;
      expect([name, Array.from(made.ids)]).toEqual([name, ids]);
      expect([name, await listed(made, images.length)]).toEqual([name, images]);
    }
  });
});
