/**
 * The fourth stage: what the connectors learn from, as shards of the two kinds that every training reads. Images with one
 * text are in LAION's form, documents of several images in MMC4's.
 */
import { join } from "node:path";
import type { JsonObject } from "../../../src/base/json.js";
import { type PackSummary, packShards } from "../../../src/pack/packShards.node.js";
import type { Made } from "../../../src/pack/samples.node.js";
import type { Chunk } from "../words/document.js";
import { documentAt } from "../words/documents.js";
import { drawsAt } from "../words/draws.js";
import { factsOf } from "../words/facts.js";
import { asSegments } from "../words/forms.js";
import { withArticle } from "../words/names.js";
import { pngOf } from "../world/png.js";
import type { Scene } from "../world/scene.js";
import { sceneAt } from "../world/scenes.js";
import { byAnyHand, documentMixture, documentWithImages, sceneOptions, seen } from "./shardDocuments.js";
import type { Sources } from "./sources.js";
import type { Stage } from "./stage.js";

/** Of images with one text: those that are photographs, where there are any. */
const photographShare = 0.25;
/** And of the others: what is said of them. Names of single things are what all else is built on. */
const pairMixture = { name: 4, caption: 3.5, questions: 2.5 };

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

/** An image with a caption, or with a question and its answer. */
async function makePair(sources: Sources, index: number): Promise<Made> {
  const { photographs, seed } = sources;
  const draws = drawsAt(seed, "pairs", index);
  if (photographs.train.length > 0 && draws.chance(photographShare)) {
    const photograph = draws.pick(photographs.train);
    return pairOf(
      index,
      await pngOf(seen(sources, photograph, index)),
      `Output:${withArticle(photograph.kind)}`,
    );
  }
  const said = draws.weighted(pairMixture);
  const scene = sceneAt({ ...sceneOptions(sources), index, ...(said === "name" && { count: 1 }) });
  const kind = said === "name" ? "caption" : said;
  const document = documentAt<Scene>({
    ...{ kind, things: sources.things, seed, index, shots: 0 },
    sceneAt: () => ({ scene, facts: factsOf(scene) }),
  });
  const [{ prompt, answer }] = document.chunks as [Chunk<Scene>];
  return pairOf(index, await pngOf(byAnyHand(sources, scene, index)), prompt + answer);
}

const pairOf = (index: number, png: Uint8Array, text: string): Made => ({
  ...{ name: `${index}`, warnings: [], images: 1 },
  sample: {
    key: keyOf(index),
    files: [
      ["png", png],
      ["txt", Buffer.from(text)],
    ],
  },
});

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
