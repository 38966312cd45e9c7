/**
 * The fourth stage: what the connectors learn from, as shards of the two kinds that every training reads. Images with one
 * text are in LAION's form, documents of several images in MMC4's.
 */
import { join } from "node:path";
import type { JsonObject } from "../../../src/base/json.js";
import { type PackSummary, packShards } from "../../../src/pack/packShards.node.js";
import type { Made } from "../../../src/pack/samples.node.js";
import { asSegments } from "../words/forms.js";
import { pngOf } from "../world/png.js";
import { documentMixture, documentWithImages } from "./shardDocuments.js";
import { pairMixture, pairWithImage } from "./shardPairs.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** Packs what is not packed yet. @returns the folders of both kinds */
export async function makeShards(
  stage: Stage,
  sources: Sources,
): Promise<{ readonly pairs: string; readonly documents: string }> {
  const { work, signal, settings, tell } = stage;
  const { seed, shards } = settings;
  const folders = { pairs: join(work, "pairs"), documents: join(work, "documents") };
  const pack = async (
    output: string,
    kind: PackSummary["kind"],
    { count, ...what }: JsonObject & { readonly count: number },
    make: (index: number) => Promise<Made>,
  ) => {
    const { samples, images, bytes } = await packShards({
      ...{ output, kind, head: { seed, count, ...what }, samplesPerShard: 1000, signal },
      ...{ rows: numbersTo(count), total: () => count, make },
    });
    tell(`${output}: ${samples} samples with ${images} images, ${(bytes / 1e6).toFixed(0)} MB`);
  };
  const photographs = sources.photographs.train.length;
  await pack(folders.pairs, "image-text", { count: shards.pairs, photographs, mixture: pairMixture }, (i) =>
    makePair(sources, i),
  );
  await pack(
    folders.documents,
    "documents",
    { count: shards.documents, mixture: { ...documentMixture } },
    (i) => makeDocument(sources, i),
  );
  return folders;
}

async function* numbersTo(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) yield i;
}

async function makePair(sources: Sources, index: number): Promise<Made> {
  const { pixels, text } = pairWithImage(sources, index);
  return {
    ...{ name: `${index}`, warnings: [], images: 1 },
    sample: {
      key: keyOf(index),
      files: [
        ["png", await pngOf(pixels)],
        ["txt", Buffer.from(text)],
      ],
    },
  };
}

async function makeDocument(sources: Sources, index: number): Promise<Made> {
  const { document, images } = documentWithImages(sources, index);
  const files = await Promise.all(images.map(pngOf));
  const { image_map: names, ...row } = asSegments(document, (i) => `${i}`);
  const filled = Object.entries(names).map(([mark, { image_name: name }]) => {
    return [mark, { image_name: name, base64_image: Buffer.from(files[Number(name)]!).toString("base64") }];
  });
  const json = JSON.stringify({ ...row, image_map: Object.fromEntries(filled) });
  return {
    ...{ name: `${index}`, warnings: [], images: images.length },
    sample: { key: keyOf(index), files: [["json", Buffer.from(json)]] },
  };
}

const keyOf = (index: number) => String(index).padStart(9, "0");
