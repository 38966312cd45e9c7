/** Interleaved documents, and MMC4's conversion beside what OpenFlamingo's own script wrote. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packData } from "../../src/api/packData.node.js";
import { readDocument } from "../../src/pack/documents.js";
import { golden, goldenTest } from "../goldens.js";
import { allSamples, imageFile, noisyImage, shardsIn } from "./shards.js";

const folder = mkdtempSync(join(tmpdir(), "documents-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const images = join(folder, "images");

let count = 0;
const next = (name: string) => join(folder, `${count++}-${name}`);
function listOf(documents: readonly unknown[]): string {
  const path = next("documents.jsonl");
  writeFileSync(path, documents.map((each) => `${JSON.stringify(each)}\n`).join(""));
  return path;
}

beforeAll(async () => {
  mkdirSync(images);
  for (let i = 0; i < 3; i++) writeFileSync(join(images, `large${i}.png`), await noisyImage(i));
  writeFileSync(join(images, "small.png"), await imageFile(1));
  writeFileSync(join(images, "broken.png"), "no image");
});

interface ReadDocument {
  readonly text_list: readonly string[];
  readonly similarity_matrix: readonly (readonly number[])[];
  readonly image_info: readonly { readonly image_name?: string; readonly image_base64?: string }[];
}
const documentsIn = async (output: string) =>
  (await allSamples(output)).map(({ files }) => JSON.parse(files.json!.toString()) as ReadDocument);

const pack = (documents: readonly unknown[], options = {}) => {
  const output = next("shards");
  const work = packData({
    kind: "documents",
    lists: [listOf(documents)],
    images,
    output,
    shuffle: false,
    ...options,
  });
  return work.then((summary) => ({ summary, output }));
};
const countsOf = (counts: Readonly<Record<string, { readonly count: number }>>) =>
  Object.fromEntries(Object.entries(counts).map(([cause, { count }]) => [cause, count]));

describe("documents", () => {
  test("in MMC4's form keep what they hold, with the images' bytes", async () => {
    const document = {
      text_list: ["one", "two"],
      url: "u",
      similarity_matrix: [
        [0.3, 0.1],
        [0.1, 0.4],
      ],
      image_info: [
        { image_name: "large0.png", raw_url: "r", matched_text_index: 0 },
        { image_name: "large1.png", matched_text_index: 1 },
      ],
      café: "é",
    };
    const { summary, output } = await pack([document]);
    expect(summary).toMatchObject({ kind: "documents", samples: 1, images: 2, skipped: {}, warnings: {} });
    const [packed] = await documentsIn(output);
    const base64 = (name: string) => readFileSync(join(images, name)).toString("base64");
    expect(packed).toEqual({
      ...document,
      image_info: document.image_info.map((info) => ({ ...info, image_base64: base64(info.image_name) })),
    });
    expect(Object.keys(packed!)).toEqual(Object.keys(document));
  });

  test("in the simple form become MMC4's: an image belongs to the text after it", async () => {
    const content = [
      "First.",
      { image: "large0.png" },
      "Second.",
      { image: "large1.png", alt: "x" },
      "Third.",
    ];
    const { output, summary } = await pack([{ content, title: "t" }]);
    expect(summary.warnings).toEqual({});
    expect((await documentsIn(output))[0]).toMatchObject({
      title: "t",
      text_list: ["First.", "Second.", "Third."],
      similarity_matrix: [
        [0, 1, 0],
        [0, 0, 1],
      ],
      image_info: [{ image_name: "large0.png" }, { image_name: "large1.png", alt: "x" }],
    });
  });

  test("without similarities get them from the sentence that each image is matched with", async () => {
    const { output } = await pack([
      { text_list: ["a", "b"], image_info: [{ image_name: "large0.png", matched_text_index: 1 }] },
    ]);
    expect((await documentsIn(output))[0]!.similarity_matrix).toEqual([[0, 1]]);
  });

  test("images that are missing or damaged are left out and named; the document stays", async () => {
    const image_info = ["none.png", "broken.png", "../images/large0.png", "large2.png"].map((image_name) => ({
      image_name,
      matched_text_index: 0,
    }));
    const given = { image_base64: "*", matched_text_index: 0 };
    const cut = {
      image_base64: readFileSync(join(images, "large0.png")).toString("base64").slice(0, 8000),
      matched_text_index: 0,
    };
    const { summary, output } = await pack([
      { text_list: ["a"], image_info: [...image_info, given, cut, { ...given, image_base64: 7 }] },
    ]);
    expect(countsOf(summary.warnings)).toEqual({
      "image-missing": 1,
      "image-unreadable": 4,
      "path-outside": 1,
      "document-with-one-usable-image": 1,
    });
    expect(summary.warnings["image-missing"]!.first[0]).toMatch(/documents\.jsonl:1 "none\.png"$/);
    const [packed] = await documentsIn(output);
    expect(packed!.image_info.map((info) => "image_base64" in info)).toEqual([
      false,
      false,
      false,
      true,
      false,
      false,
      false,
    ]);
  });

  test("that training would not use, or only at times, are reported, and left out on request", async () => {
    const one = (image_name: string, similarity: number) => ({
      text_list: ["a"],
      image_info: [{ image_name }],
      similarity_matrix: [[similarity]],
    });
    const documents = [
      one("small.png", 1),
      one("large0.png", 0.2),
      one("large1.png", 0.24),
      { text_list: ["<image>"], image_info: [] },
    ];
    const { summary } = await pack(documents);
    expect(summary.samples).toBe(4);
    expect(countsOf(summary.warnings)).toEqual({
      "image-under-11000-bytes": 1,
      "document-without-usable-image": 3,
      "document-with-one-usable-image": 1,
      "special-token-in-text": 1,
    });
    const { summary: usable } = await pack(documents, { onlyUsable: true });
    expect(usable.samples).toBe(1);
    expect(countsOf(usable.skipped)).toEqual({ "document-without-usable-image": 3 });
    const { summary: lower } = await pack(documents, { similarityThreshold: 0.1 });
    expect(countsOf(lower.warnings)["document-without-usable-image"]).toBe(2);
  });

  test("the limit of 11,000 bytes is training's", async () => {
    const fits = Buffer.concat([await noisyImage(5, 40), Buffer.alloc(11_000)]).subarray(0, 11_000);
    const image = (bytes: Uint8Array) => ({
      image_base64: Buffer.from(bytes).toString("base64"),
      matched_text_index: 0,
    });
    const { summary } = await pack([
      { text_list: ["a"], image_info: [image(fits), image(fits.subarray(0, 10_999))] },
    ]);
    expect(countsOf(summary.warnings)).toEqual({
      "image-under-11000-bytes": 1,
      "document-with-one-usable-image": 1,
    });
  });

  test.each([
    ["no-text-list", { image_info: [] }],
    ["no-text-list", { text_list: [], image_info: [] }],
    ["no-text-list", { text_list: ["a", 1], image_info: [] }],
    ["no-image-info", { text_list: ["a"] }],
    ["no-image-info", { text_list: ["a"], image_info: [null] }],
    ["bad-similarity-matrix", { text_list: ["a"], image_info: [{}] }],
    ["bad-similarity-matrix", { text_list: ["a"], image_info: [{ matched_text_index: 1 }] }],
    ["bad-similarity-matrix", { text_list: ["a"], image_info: [{}], similarity_matrix: [] }],
    ["bad-similarity-matrix", { text_list: ["a", "b"], image_info: [{}], similarity_matrix: [[1]] }],
    ["bad-similarity-matrix", { text_list: ["a"], image_info: [{}], similarity_matrix: [[null]] }],
    ["too-many-images", { text_list: ["a"], image_info: Array(1001).fill({}) }],
    ["too-many-sentences", { text_list: Array(10_001).fill("a"), image_info: [] }],
    ["bad-content", { content: [] }],
    ["bad-content", { content: [{ picture: "a" }] }],
    ["image-without-text", { content: ["a", { image: "a" }] }],
    ["image-without-text", { content: [{ image: "a" }, { image: "b" }, "a"] }],
    ["no-text-list", { is_gpt: true, image_map: {} }],
    ["bad-image-map", { is_gpt: true, example: "a" }],
    ["bad-image-map", { is_gpt: true, example: "a", image_map: { a: 1 } }],
  ])("%s: %j is no document", (fault, document) => {
    expect(readDocument(document)).toBe(fault);
  });

  test("with marks in one text keep their marks, and the images are checked", async () => {
    const given = readFileSync(join(images, "small.png")).toString("base64");
    const document = {
      is_gpt: true,
      example: "<|endofchunk|>_!_IMAGE0_!_ a",
      image_map: {
        "_!_IMAGE0_!_": { base64_image: given },
        "_!_IMAGE1_!_": { image_name: "large0.png" },
        "_!_IMAGE2_!_": { base64_image: "AAAA" },
      },
    };
    const { summary, output } = await pack([document]);
    expect(countsOf(summary.warnings)).toEqual({ "image-unreadable": 1 });
    const [packed] = (await documentsIn(output)) as unknown as (typeof document)[];
    expect(packed!.image_map).toEqual({
      "_!_IMAGE0_!_": { base64_image: given },
      "_!_IMAGE1_!_": {
        image_name: "large0.png",
        base64_image: readFileSync(join(images, "large0.png")).toString("base64"),
      },
      "_!_IMAGE2_!_": {},
    });
  });

  test("a document whose images are too large together is skipped", async () => {
    const huge = join(images, "huge.png");
    writeFileSync(
      huge,
      Buffer.concat([readFileSync(join(images, "large0.png")), Buffer.alloc(100 * 2 ** 20)]),
    );
    const image_info = Array(3).fill({ image_name: "huge.png", matched_text_index: 0 });
    const { summary } = await pack([
      { text_list: ["a"], image_info },
      { text_list: ["a"], image_info: [] },
    ]);
    rmSync(huge);
    expect(countsOf(summary.skipped)).toEqual({ "too-large": 1 });
  });
});

interface Golden {
  readonly shards: readonly {
    readonly members: readonly {
      readonly json: {
        readonly image_info: readonly {
          readonly image_name: string;
          readonly image_base64?: {
            readonly size: readonly [number, number];
            readonly mean_abs_difference_to_source: number;
          };
        }[];
      };
    }[];
  }[];
}

describe("MMC4's conversion", () => {
  goldenTest(
    "data/convert/convert.golden.json",
    "gives the documents of OpenFlamingo's script, images and all",
    async () => {
      const file = golden("data/convert/convert.golden.json");
      const home = dirname(file);
      const expected = (JSON.parse(readFileSync(file, "utf8")) as Golden).shards.flatMap(
        ({ members }) => members,
      );
      const output = next("shards");
      const lists = [0, 1].map((i) => join(home, `docs_shard_${i}_v2.jsonl.zip`));
      const sources = join(home, "images");
      const summary = await packData({ kind: "mmc4", lists, images: sources, output, samplesPerShard: 3 });
      expect(summary).toMatchObject({ samples: 5, images: 4, skipped: {} });
      // No empty shard at the end.
      expect(shardsIn(output)).toEqual(["00000.tar", "00001.tar"]);
      // What the script printed a line for.
      expect(summary.warnings).toMatchObject({
        "image-unreadable": { count: 2 },
        "image-missing": { count: 3 },
      });

      const documents = await documentsIn(output);
      let largest = 0;
      for (const [i, { json }] of expected.entries()) {
        const packed = documents[i]!;
        expect(Object.keys(packed)).toEqual(Object.keys(json));
        const withoutImages = (document: { readonly image_info: readonly object[] }) => ({
          ...document,
          image_info: document.image_info.map((info) => ({ ...info, image_base64: "image_base64" in info })),
        });
        expect(withoutImages(packed)).toEqual(withoutImages(json));
        for (const [k, { image_base64: facts, image_name }] of json.image_info.entries()) {
          if (!facts) continue;
          const bytes = Buffer.from(packed.image_info[k]!.image_base64!, "base64");
          expect(await sharp(bytes).metadata()).toMatchObject({
            ...{ format: "jpeg", width: facts.size[0], height: facts.size[1], channels: 3 },
            chromaSubsampling: "4:2:0",
          });
          const pixels = (of: Buffer | string) =>
            sharp(of).removeAlpha().toColourspace("srgb").raw().toBuffer();
          const [is, was] = [
            await pixels(bytes),
            await pixels(join(sources, String(i < 3 ? 0 : 1), image_name)),
          ];
          const difference = is.reduce((sum, value, at) => sum + Math.abs(value - was[at]!), 0) / is.length;
          largest = Math.max(largest, Math.abs(difference - facts.mean_abs_difference_to_source));
        }
      }
      console.log(`mean difference to the source, beside Pillow's: at most ${largest.toFixed(4)} apart`);
      expect(largest).toBeLessThan(0.0006); // the golden has three decimals
    },
  );

  goldenTest("data/convert/convert.golden.json", "can keep the images' own bytes", async () => {
    const home = dirname(golden("data/convert/convert.golden.json"));
    const output = next("shards");
    const lists = [join(home, "docs_shard_0_v2.jsonl.zip")];
    await packData({ kind: "mmc4", lists, images: join(home, "images"), output, encode: "keep" });
    const [first] = await documentsIn(output);
    const source = readFileSync(join(home, "images/0/000.jpg"));
    expect(Buffer.from(first!.image_info[0]!.image_base64!, "base64").equals(source)).toBe(true);
  });
});
