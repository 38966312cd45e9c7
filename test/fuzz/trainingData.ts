/** Shards of training data, byte by byte and header by header, and documents. */
import { gzipSync } from "node:zlib";
import { type Assembler, assembleCaption, assembleDocument } from "../../src/data/assemble.js";
import { groupSamples } from "../../src/data/samples.js";
import { readTar } from "../../src/data/tar.node.js";
import { createTemplate } from "../../src/data/template.js";
import { createFlamingoTokenizer } from "../../src/text/flamingoTokens.js";
import { type File, tarEnd, tarFile } from "../data/makeTar.js";
import { readJson } from "../text/files.js";
import { changed, otherBytes, otherList } from "./change.js";
import { latin1 } from "./checkpoint.js";
import { otherJson } from "./json.js";
import type { FuzzKind, Random } from "./kind.js";

const image = Buffer.alloc(12).toString("base64");
const page = {
  text_list: ["A cat.", "a <image> dog ", ""],
  image_info: [{ image_base64: image }, { image_base64: image, image_name: "x" }, {}],
  similarity_matrix: [
    [0.3, 0.1, 0.2],
    [0.1, 0.5, 0.3],
    [0, 1, 2],
  ],
};
const marked = {
  is_gpt: true,
  example: "_!_IMAGE1_!_ a _!_IMAGE2_!_ b _!_IMAGE3_!_",
  image_map: { "_!_IMAGE1_!_": { base64_image: image }, "_!_IMAGE2_!_": { base64_image: image } },
};
const documents = [page, marked].map((each) => JSON.stringify(each));
const files: readonly File[] = [
  { name: "a.jpg", data: "image" },
  { name: "a.txt", data: "caption" },
  { name: "a.json", data: documents[0]! },
  { name: `${"long/".repeat(15)}b.png`, data: "x".repeat(700) },
  { name: `${"long/".repeat(15)}b.txt`, data: "ü" },
  { name: "c", data: "", type: "5" },
  { name: "c.json", data: documents[1]! },
  { name: "pax", data: "30 path=folder/name.of.pax.jpg\n", type: "x" },
  { name: "d.jpg", data: "image" },
];
const parts = files.map(tarFile);

let assembler: Assembler | undefined;

/** Whatever is assembled, it is without an exception: pixels are not looked at here. */
async function assemble(fields: ReadonlyMap<string, Uint8Array>): Promise<void> {
  assembler ??= (() => {
    const tokenizer = createFlamingoTokenizer(readJson("tiny-openflamingo-9b/lang/tokenizer.json"));
    const decode = async () => new Float32Array(3);
    return { tokenizer, template: createTemplate(tokenizer), decode, minImageBytes: 1 };
  })();
  const coins = { flip: () => true, drop: () => false };
  await assembleCaption(fields, assembler, coins);
  await assembleDocument(fields, assembler, coins);
  await assembleDocument(
    fields,
    { ...assembler, imagesInIndexOrder: true, cutBeforeLastImage: true, maxImages: 1 },
    coins,
  );
}

/** A header's sum of bytes, made right again. */
function mended(part: string): string {
  const header = Buffer.from(part.slice(0, 512).padEnd(512, "\0"), "latin1");
  header.write("        ", 148, "latin1");
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header.toString("latin1") + part.slice(512);
}

function otherArchive(random: Random): Uint8Array {
  const list = changed<readonly string[]>(random, parts.map(latin1), [
    (old) => otherList(random, old),
    (old) => {
      const at = random.below(old.length);
      return old.map((part, i) => {
        if (i !== at) return part;
        const head = otherBytes(random, part.slice(0, 512));
        const whole = head + part.slice(512);
        return random.once(4) ? whole : mended(whole);
      });
    },
  ]);
  const end = random.once(6) ? "" : latin1(tarEnd);
  const bytes = Buffer.from(list.join("") + end, "latin1");
  if (!random.once(4)) return bytes;
  const packed = gzipSync(bytes);
  return random.once(2) ? packed : Buffer.from(otherBytes(random, latin1(packed)), "latin1");
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

export const trainingShardKind: FuzzKind = {
  name: "trainingShard",
  seeds: () => [Buffer.concat([...parts, tarEnd])],
  mutate: (random) => otherArchive(random),
  async run(input, signal) {
    const members = readTar(inPieces(input), { name: "the shard", maxMemberBytes: 2 ** 20 });
    for await (const { fields } of groupSamples(members)) {
      signal.throwIfAborted();
      await assemble(fields);
    }
  },
};

const words = [
  "is_gpt",
  "example",
  "image_map",
  "_!_IMAGE1_!_",
  "base64_image",
  "text_list",
  "image_base64",
  image,
  "A===",
];

export const trainingDocumentKind: FuzzKind = {
  name: "trainingDocument",
  seeds: () => documents.map((text) => Buffer.from(text)),
  mutate: (random, seed) => Buffer.from(otherJson(random, latin1(seed), words), "latin1"),
  run: (input) => assemble(new Map([["json", input]])),
};
