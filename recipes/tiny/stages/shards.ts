/**
 * The fourth stage: what the connectors learn from, as shards of the two kinds that every training reads. Images with one
 * text are in LAION's form, documents of several images in MMC4's.
 */
import { join } from "node:path";
import sharp from "sharp";
import type { JsonObject } from "../../../src/base/json.js";
import { randomStream } from "../../../src/base/random.js";
import { type PackSummary, packShards } from "../../../src/pack/packShards.node.js";
import type { Made } from "../../../src/pack/samples.node.js";
import type { Chunk, Document, DocumentKind } from "../words/document.js";
import { documentAt } from "../words/documents.js";
import { drawsAt } from "../words/draws.js";
import { factsOf } from "../words/facts.js";
import { asSegments, imagesOf } from "../words/forms.js";
import { withArticle } from "../words/names.js";
import { augment } from "../world/augment.js";
import { drawScene } from "../world/draw.js";
import type { Photograph } from "../world/photographs.node.js";
import { redraw } from "../world/redraw.js";
import type { Scene } from "../world/scene.js";
import { type SceneOptions, sceneAt } from "../world/scenes.js";
import type { ClipSources } from "./clipSamples.js";
import type { Stage } from "./stage.js";

/** Of images with one text: those that are photographs, where there are any. */
const photographShare = 0.25;

/** How often a document is of a kind, in proportion; text alone is the language model's. */
const documentMixture: Readonly<Record<DocumentKind | "photographs", number>> = {
  ...{ caption: 0, styles: 3, questions: 3 },
  ...{ "text-text": 0, "image-query": 2, "text-query": 1, "image-image": 4, mixed: 2 },
  photographs: 1.5,
};

/** Packs what is not packed yet. @returns the folders of both kinds */
export async function makeShards(
  stage: Stage,
  sources: ClipSources,
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
  await pack(folders.pairs, "image-text", { count: shards.pairs, photographs }, (i) => makePair(sources, i));
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
async function makePair(sources: ClipSources, index: number): Promise<Made> {
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
  const kind = draws.chance(0.6) ? "caption" : "questions";
  const document = documentAt<Scene>({
    ...{ kind, things: sources.things, seed, index, shots: 0 },
    sceneAt: sceneOf(sources, "pairs"),
  });
  const chunk = document.chunks[0] as Chunk<Scene>;
  return pairOf(index, await pngOf(drawn(sources, document)[0]!), chunk.prompt + chunk.answer);
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

async function makeDocument(sources: ClipSources, index: number): Promise<Made> {
  const { things, seed, photographs } = sources;
  const mixture = photographs.train.length > 0 ? documentMixture : { ...documentMixture, photographs: 0 };
  const kind = drawsAt(seed, "kinds of documents", index).weighted(mixture);
  const document: Document<Shot> =
    kind === "photographs"
      ? photographsAt(sources, index)
      : documentAt<Shot>({ kind, things, seed, index, sceneAt: sceneOf(sources, "documents") });
  const images = await Promise.all(drawn(sources, document).map(pngOf));
  const { image_map: names, ...row } = asSegments(document, (i) => `${i}`);
  const filled = Object.entries(names).map(([mark, { image_name: name }]) => {
    return [mark, { image_name: name, base64_image: Buffer.from(images[Number(name)]!).toString("base64") }];
  });
  const json = JSON.stringify({ ...row, image_map: Object.fromEntries(filled) });
  return {
    ...{ name: `${index}`, warnings: [], images: images.length },
    sample: { key: keyOf(index), files: [["json", Buffer.from(json)]] },
  };
}

/** What an image of a document is made of. */
type Shot = Scene | Photograph;

/** One to six photographs, each with the name of what it shows. */
function photographsAt({ photographs, seed }: ClipSources, index: number): Document<Photograph> {
  const draws = drawsAt(seed, "documents of photographs", index);
  const chunks = Array.from({ length: 1 + draws.below(6) }, (): Chunk<Photograph> => {
    const photograph = draws.pick(photographs.train);
    return {
      ...{ shown: { kind: "scene", scene: photograph }, words: "" },
      ...{ prompt: "Output:", answer: withArticle(photograph.kind) },
    };
  });
  return { kind: "caption", chunks };
}

const keyOf = (index: number) => String(index).padStart(9, "0");

/** Scenes of a stream of their own. */
const sceneOf =
  (sources: ClipSources, purpose: "pairs" | "documents") =>
  (index: number): { readonly scene: Scene; readonly facts: ReturnType<typeof factsOf> } => {
    const offset = purpose === "pairs" ? 0 : documentScenes;
    const scene = sceneAt({ ...sceneOptions(sources), index: offset + index });
    return { scene, facts: factsOf(scene) };
  };

/** Far behind all scenes of pairs. */
const documentScenes = 2 ** 40;
/** And behind those of documents: where a document shows a thing alone. */
const thingScenes = 2 ** 41;

const sceneOptions = ({ things, sprites, seed }: ClipSources): Omit<SceneOptions, "index"> => ({
  ...{ things, seed, split: "train" },
  colourOf: (thing, style) => sprites.get(thing, style).edge,
});

/** The images of a document. A thing that is shown several times is another composition each time. */
function drawn(sources: ClipSources, document: Document<Shot>): Uint8Array[] {
  const { sprites, imageSize: size, seed } = sources;
  const words = JSON.stringify(document.chunks.map(({ answer }) => answer));
  return imagesOf(document).map((image, i) => {
    const lot = drawsAt(seed, words, i);
    const number = lot.below(2 ** 31);
    const shot =
      "scene" in image
        ? image.scene
        : sceneAt({ ...sceneOptions(sources), index: thingScenes + number, kinds: [image.thing], count: 1 });
    if ("pixels" in shot) return seen(sources, shot, number);
    return redraw(drawScene(shot, sprites, { size }), randomStream(seed, "other hands"), number);
  });
}

/** A photograph as it is never seen twice; most of it, since what it shows is to be named. */
const seen = ({ seed }: ClipSources, { pixels }: Photograph, number: number): Uint8Array =>
  augment(pixels, randomStream(seed, "augmentation of shards"), number, { leastArea: 0.6 });

async function pngOf(pixels: Uint8Array): Promise<Uint8Array> {
  const side = Math.sqrt(pixels.length / 3);
  const raw = { width: side, height: side, channels: 3 } as const;
  return sharp(pixels, { raw }).png({ compressionLevel: 3 }).toBuffer();
}
