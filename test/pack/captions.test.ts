/** Captions and questions with a folder of images, packed and read again. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PackOptions, packData } from "../../src/api/packData.node.js";
import type { OpenFlamingoError } from "../../src/base/errors.js";
import { golden } from "../goldens.js";
import { allSamples, imageFile, sameFolders, samplesOf, shardsIn, texts } from "./shards.js";

const folder = mkdtempSync(join(tmpdir(), "packing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const images = join(folder, "images");

let count = 0;
const next = (name: string) => join(folder, `${count++}-${name}`);
function listOf(content: string | Buffer, name = "captions.csv"): string {
  const path = next(name);
  writeFileSync(path, content);
  return path;
}

beforeAll(async () => {
  mkdirSync(join(images, "sub"), { recursive: true });
  for (let i = 0; i < 20; i++) {
    writeFileSync(join(images, `${i}.png`), await imageFile(i));
    writeFileSync(join(images, "sub", `${i}.jpg`), await imageFile(i, { format: "jpeg" }));
  }
  writeFileSync(join(folder, "secret.png"), await imageFile(1));
  symlinkSync(join(folder, "secret.png"), join(images, "link.png"));
  symlinkSync("0.png", join(images, "inside.png"));
});

const many = Array.from({ length: 20 }, (_, i) => `${i % 2 ? `sub/${i}.jpg` : `${i}.png`},caption ${i}`).join(
  "\n",
);
const pack = (options: Partial<PackOptions> & Pick<PackOptions, "lists">) =>
  packData({ kind: "captions", images, output: next("shards"), ...options });

const failureOf = (work: Promise<unknown>): Promise<OpenFlamingoError> =>
  work.then(
    (found) => {
      throw new Error(`no failure: ${JSON.stringify(found)}`);
    },
    (error: OpenFlamingoError) => error,
  );

describe("captions", () => {
  test("become samples of an image, its text and where it is from, in shards of so many", async () => {
    const output = next("shards");
    const list = listOf(`image,caption\n${many}\n`);
    const summary = await pack({ lists: [list], output, samplesPerShard: 8 });
    expect(summary).toMatchObject({
      samples: 20,
      images: 20,
      rows: 20,
      skipped: {},
      warnings: {},
      kind: "image-text",
    });
    expect(summary.pattern).toBe("{00000..00002}.tar");
    expect(summary.shards.map(({ file, samples }) => [file, samples])).toEqual([
      ["00000.tar", 8],
      ["00001.tar", 8],
      ["00002.tar", 4],
    ]);
    expect(JSON.parse(readFileSync(join(output, "index.json"), "utf8"))).toMatchObject({ ...summary });
    expect(readdirSync(output).sort()).toEqual(["00000.tar", "00001.tar", "00002.tar", "index.json"]);

    const samples = await allSamples(output);
    expect(new Set(samples.map(({ key }) => key)).size).toBe(20);
    for (const { key, files } of samples) {
      expect(key).toMatch(/^[\da-f]{32}$/);
      const number = Number(/caption (\d+)/.exec(files.txt!.toString())![1]);
      const [ending, path] = number % 2 ? ["jpg", `sub/${number}.jpg`] : ["png", `${number}.png`];
      expect(files[ending]!.equals(readFileSync(join(images, path)))).toBe(true); // not written anew
      expect(JSON.parse(files.json!.toString())).toMatchObject({ image: path, width: 24, height: 16 });
    }
  });

  test("the order depends on the seed alone, and the same call makes the same bytes", async () => {
    const list = listOf(`image,caption\n${many}\n`);
    const [a, b, c, d] = [next("a"), next("b"), next("c"), next("d")];
    await pack({ lists: [list], output: a, seed: 7 });
    await pack({ lists: [list], output: b, seed: 7 });
    await pack({ lists: [list], output: c, seed: 8 });
    await pack({ lists: [list], output: d, shuffle: false });
    expect(sameFolders(a, b)).toBe(true);
    const [first, third, listed] = [
      texts(await allSamples(a)),
      texts(await allSamples(c)),
      texts(await allSamples(d)),
    ];
    expect(listed).toEqual(Array.from({ length: 20 }, (_, i) => `caption ${i}`));
    expect(first).not.toEqual(listed);
    expect(third).not.toEqual(first);
    expect([...first].sort()).toEqual([...listed].sort());
  });

  test("rows that give no sample are counted by cause and named; the others are packed", async () => {
    writeFileSync(join(images, "text.png"), "no image");
    copyFileSync(golden("preprocess/inputs/err_truncated.jpg"), join(images, "cut.jpg"));
    writeFileSync(join(images, "drawing.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>");
    const rows = [
      ...[
        "../secret.png",
        "sub/../../secret.png",
        join(folder, "secret.png"),
        "C:\\x.png",
        "\0.png",
        "link.png",
      ],
      ...["none.png", "sub", "text.png", "cut.jpg", "drawing.svg", "inside.png", "3.png", "3.png"],
    ];
    const list = listOf(
      `image,caption\n${rows.map((path) => `${path},"x"`).join("\n")}\n5.png,\n5.png\n5.png,"\xff"\n`,
    );
    const output = next("shards");
    const summary = await pack({ lists: [list], output, shuffle: false });
    const counts = Object.fromEntries(
      Object.entries(summary.skipped).map(([cause, { count }]) => [cause, count]),
    );
    expect(counts).toEqual({
      "path-outside": 6,
      "image-missing": 1,
      "image-unreadable": 3,
      "image-unsupported": 1,
      duplicate: 1,
      "no-caption": 1,
      "wrong-columns": 1,
    });
    expect(summary.skipped["path-outside"]!.first).toHaveLength(5);
    expect(summary.skipped["image-missing"]!.first).toEqual([
      expect.stringMatching(/^\d+-captions\.csv:7 "none\.png"$/),
    ]);
    expect(summary).toMatchObject({ rows: 17, samples: 3 });
    expect((await allSamples(output)).map(({ files }) => JSON.parse(files.json!.toString()).image)).toEqual([
      "inside.png",
      "3.png",
      "5.png",
    ]);
  });

  test("formats that training does not look for are written as JPEG, as near as its quality", async () => {
    for (const [name, source] of [
      ["a.webp", "webp_lossy_q80.webp"],
      ["b.gif", "gif_256.gif"],
      ["c.bmp", "bmp_rgb.bmp"],
      ["d.tif", "tiff_rgb_lzw.tif"],
      ["e.png", "jpeg_base_444_q95.jpg"], // a JPEG by its content
    ] as const) {
      copyFileSync(golden(`preprocess/inputs/${source}`), join(images, name));
    }
    const list = listOf("image,caption\na.webp,a\nb.gif,b\nc.bmp,c\nd.tif,d\ne.png,e\n");
    const output = next("shards");
    await pack({ lists: [list], output, shuffle: false });
    const samples = await allSamples(output);
    expect(samples.map(({ files }) => Object.keys(files).sort())).toEqual(
      Array(5).fill(["jpg", "json", "txt"]),
    );
    for (const { files } of samples) expect((await sharp(files.jpg).metadata()).format).toBe("jpeg");
    expect(samples[4]!.files.jpg!.equals(readFileSync(join(images, "e.png")))).toBe(true);
    const [was, is] = await Promise.all(
      [join(images, "a.webp"), samples[0]!.files.jpg!].map((each) => sharp(each).raw().toBuffer()),
    );
    const differences = was!.map((value, i) => Math.abs(value - is![i]!));
    expect(differences.reduce((sum, each) => sum + each, 0) / differences.length).toBeLessThan(3);
  });

  test("larger images are scaled down, smaller ones stay as they are", async () => {
    writeFileSync(join(images, "wide.png"), await imageFile(1, { width: 300, height: 90 }));
    const output = next("shards");
    await pack({
      lists: [listOf("image,caption\nwide.png,a\n1.png,b\n")],
      output,
      maxSide: 100,
      shuffle: false,
    });
    const [wide, small] = await allSamples(output);
    expect(await sharp(wide!.files.png).metadata()).toMatchObject({ format: "png", width: 100, height: 30 });
    expect(JSON.parse(wide!.files.json!.toString())).toMatchObject({ width: 100, height: 30 });
    expect(small!.files.png!.equals(readFileSync(join(images, "1.png")))).toBe(true);
  });

  test("a template gives the text, and what a text holds is not looked at again", async () => {
    const output = next("shards");
    const list = listOf("image,caption\n1.png, a $& {image} \n2.png,<image>two\n");
    const summary = await pack({ lists: [list], output, template: "Output:{caption}", shuffle: false });
    expect(texts(await allSamples(output))).toEqual(["Output:a $& {image}", "Output:<image>two"]);
    expect(summary.warnings).toMatchObject({ "special-token-in-text": { count: 1 } });
  });

  test("names without an ending, as of a Parquet list's keys, are found by the endings of common formats", async () => {
    const keyed = next("keyed");
    mkdirSync(keyed);
    for (const i of [0, 1, 3, 4]) {
      writeFileSync(
        join(keyed, `00000000${i}.${i % 2 ? "jpg" : "png"}`),
        await imageFile(i, { format: i % 2 ? "jpeg" : "png" }),
      );
    }
    const list = fileURLToPath(new URL("parquet/zstd.parquet", import.meta.url));
    const output = next("shards");
    const summary = await pack({ lists: [list], images: keyed, output, shuffle: false });
    expect(texts(await allSamples(output))).toEqual(["a cat", "zwölf Boxkämpfer", "猫", "a cat"]);
    expect(summary.skipped).toMatchObject({ "no-caption": { count: 2 }, "image-missing": { count: 1 } });
  });
});

test("questions with answers become what the model is asked", async () => {
  const rows = [
    { image: "1.png", question: "What is it? ", answer: 3 },
    { image: "2.png", question: "Is it red?", answer: "no" },
    { image: "2.png", question: "Why?" },
  ];
  const list = listOf(rows.map((row) => JSON.stringify(row)).join("\r\n"), "questions.jsonl");
  const output = next("shards");
  const summary = await packData({ kind: "questions", lists: [list], images, output, shuffle: false });
  expect(texts(await allSamples(output))).toEqual([
    "Question:What is it? Short answer:3",
    "Question:Is it red? Short answer:no",
  ]);
  expect(summary.skipped).toMatchObject({ "no-answer": { count: 1 } });
});

describe("work that was stopped", () => {
  const list = listOf(`image,caption\n${many}\n`);

  test.each([0, 1, 7, 12, 19])("after %i rows goes on, and makes the same bytes", async (rows) => {
    const [whole, output] = [next("whole"), next("stopped")];
    await pack({ lists: [list], output: whole, samplesPerShard: 6 });
    const stop = new AbortController();
    const onProgress = (done: number) => done > rows && stop.abort(new Error("stopped"));
    const options = { lists: [list], output, samplesPerShard: 6 };
    await expect(pack({ ...options, signal: stop.signal, onProgress })).rejects.toThrow("stopped");
    // Shards that are there are whole, and nothing says that the folder is.
    expect(shardsIn(output)).toHaveLength(Math.floor(rows / 6));
    for (const shard of shardsIn(output)) expect(await samplesOf(join(output, shard))).toHaveLength(6);
    expect(existsSync(join(output, "index.json"))).toBe(false);
    await pack(options);
    expect(sameFolders(whole, output)).toBe(true);
  });

  test("a shard that vanished, or is no longer as it was, is written again", async () => {
    const [whole, output] = [next("whole"), next("stopped")];
    await pack({ lists: [list], output: whole, samplesPerShard: 4 });
    const stop = new AbortController();
    const onProgress = (done: number) => done > 17 && stop.abort(new Error("stopped"));
    const options = { lists: [list], output, samplesPerShard: 4 };
    await expect(pack({ ...options, signal: stop.signal, onProgress })).rejects.toThrow("stopped");
    writeFileSync(join(output, "00001.tar"), "x");
    writeFileSync(
      join(output, "packing.jsonl"),
      `${readFileSync(join(output, "packing.jsonl"), "utf8")}{"file":"0000`,
    );
    await pack(options);
    expect(sameFolders(whole, output)).toBe(true);
  });

  test("work that is complete is not done again", async () => {
    const output = next("complete");
    const first = await pack({ lists: [list], output });
    rmSync(join(output, "00000.tar"));
    expect(await pack({ lists: [list], output })).toEqual(first);
    expect(existsSync(join(output, "00000.tar"))).toBe(false);
  });

  test("other lists, other options, other files in the folder and another process are rejected", async () => {
    const output = next("complete");
    await pack({ lists: [list], output });
    const other = await failureOf(pack({ lists: [list], output, seed: 1 }));
    expect([other.code, other.message]).toEqual([
      "usage",
      `${output}: its index.json is of other lists, or of other options`,
    ]);
    writeFileSync(join(output, "index.json"), "{");
    expect((await failureOf(pack({ lists: [list], output }))).message).toContain(
      "index.json is of other lists",
    );

    const begun = next("begun");
    const stop = new AbortController();
    const onProgress = (done: number) => done > 15 && stop.abort(new Error("stopped"));
    await failureOf(
      pack({ lists: [list], output: begun, samplesPerShard: 4, signal: stop.signal, onProgress }),
    );
    const changed = await failureOf(pack({ lists: [list], output: begun, samplesPerShard: 5 }));
    expect(changed.message).toContain("packing.jsonl: was begun from other lists, or with other options");

    const full = next("full");
    mkdirSync(full);
    writeFileSync(join(full, "thesis.docx"), "");
    expect((await failureOf(pack({ lists: [list], output: full }))).message).toBe(
      `${full}: the folder is not empty`,
    );

    const busy = next("busy");
    mkdirSync(busy);
    const owner = { process: process.ppid, host: hostname(), id: 1 };
    writeFileSync(join(busy, ".openflamingo-lock"), JSON.stringify(owner));
    expect((await failureOf(pack({ lists: [list], output: busy }))).message).toBe(
      `${busy}: another process is writing to this folder`,
    );
  });

  test("work that gave nothing may be begun with other options", async () => {
    const output = next("nothing");
    const error = await failureOf(pack({ lists: [list], images: join(folder, "none"), output }));
    expect(error.code).toBe("data-invalid");
    expect(error.message).toMatch(
      /none of 20 rows gives a sample: image-missing 20 \(\d+-captions\.csv:\d+ "/,
    );
    expect(await pack({ lists: [list], output })).toMatchObject({ samples: 20 });
  });
});

test("options that cannot be are errors before any work", async () => {
  const list = listOf(`image,caption\n${many}\n`);
  const output = next("unused");
  const wrong = async (options: object) => {
    const error = await failureOf(
      packData({ kind: "captions", lists: [list], images, output, ...options } as PackOptions),
    );
    expect(error.code).toBe("usage");
    return error.message;
  };
  expect(await wrong({ sed: 1 })).toContain('packData has no option "sed"');
  expect(await wrong({ kind: "caption" })).toContain('kind is "caption"');
  expect(await wrong({ quality: 0, lists: [] })).toMatch(/lists is .*quality is 0/);
  expect(await wrong({ template: "Output:" })).toBe('packData: template is "Output:", without {caption}');
  expect(await wrong({ columns: { picture: "a" } })).toContain(
    'columns has "picture", which no column can be',
  );
  expect(existsSync(output)).toBe(false);
});
