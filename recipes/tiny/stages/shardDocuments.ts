/** Documents of several images for the connectors, and how their images are made. */
import { randomStream } from "../../../src/base/random.js";
import type { Chunk, Document, DocumentKind } from "../words/document.js";
import { documentAt } from "../words/documents.js";
import { drawsAt } from "../words/draws.js";
import { factsOf } from "../words/facts.js";
import { imagesOf } from "../words/forms.js";
import { withArticle } from "../words/names.js";
import { augment } from "../world/augment.js";
import { drawScene } from "../world/draw.js";
import { groupedBy } from "../world/groupedBy.js";
import type { Photograph } from "../world/photographs.node.js";
import { redraw } from "../world/redraw.js";
import type { Scene, Thing } from "../world/scene.js";
import { type SceneOptions, sceneAt } from "../world/scenes.js";
import type { Sources } from "./sources.js";

/**
 * How often a document is of a kind, in proportion. Text alone is the language model's, and a training over documents
 * learns nothing from text that no image opens, so that none asks in words for what its images showed.
 */
export const documentMixture = {
  ...{ caption: 0, styles: 3, questions: 3 },
  ...{ "text-text": 0, "image-query": 2, "text-query": 0, "image-image": 4, mixed: 2 },
  // Where they are at hand: photographs with their names, and new names for what they show and for characters.
  ...{ photographs: 1.5, "names of photographs": 1, "names of characters": 1 },
} satisfies Record<DocumentKind | "photographs" | AlbumName, number>;

export interface DocumentWithImages {
  readonly document: Document<unknown>;
  /** In the order of the document; red, green, blue, row by row. */
  readonly images: readonly Uint8Array[];
}

/** Document 0, 1, 2, …; a pure function. */
export function documentWithImages(sources: Sources, index: number): DocumentWithImages {
  const { things, seed, photographs, characters } = sources;
  const kind = drawsAt(seed, "kinds of documents", index).weighted({
    ...documentMixture,
    ...(photographs.train.length === 0 && { photographs: 0, "names of photographs": 0 }),
    ...(characters.length === 0 && { "names of characters": 0 }),
  });
  if (kind === "photographs") return photographsAt(sources, index);
  if (kind === "names of photographs" || kind === "names of characters") {
    return namesAt(sources, albumOf(sources, kind), index);
  }
  const document = documentAt<Scene>({
    ...{ kind, things, seed, index },
    sceneAt(number) {
      const scene = sceneAt({ ...sceneOptions(sources), index: documentScenes + number });
      return { scene, facts: factsOf(scene) };
    },
  });
  const images = imagesOf(document).map((image, i) => {
    const number = numberOf(sources, document, i);
    if ("scene" in image) return byAnyHand(sources, image.scene, number);
    // A thing that is shown several times is another composition each time.
    const only = { index: thingScenes + number, kinds: [image.thing], count: 1 };
    return byAnyHand(sources, sceneAt({ ...sceneOptions(sources), ...only }), number);
  });
  return { document, images };
}

/** Far behind all scenes of pairs. */
const documentScenes = 2 ** 40;
/** And behind those of documents: where a document shows a thing alone. */
const thingScenes = 2 ** 41;

export const sceneOptions = ({ things, sprites, seed }: Sources): Omit<SceneOptions, "index"> => ({
  ...{ things, seed, split: "train" },
  colourOf: (thing, style) => sprites.get(thing, style).edge,
});

/** A number for what is random about an image of a document. */
const numberOf = ({ seed }: Sources, { chunks }: Document<unknown>, image: number): number =>
  drawsAt(seed, JSON.stringify(chunks.map(({ answer }) => answer)), image).below(2 ** 31);

/** A scene as one of many would draw it. */
export const byAnyHand = ({ sprites, seed, imageSize: size }: Sources, scene: Scene, number: number) =>
  redraw(drawScene(scene, sprites, { size }), randomStream(seed, "other hands"), number);

/** A photograph as it is never seen twice; most of it, since what it shows is to be named. */
export const seen = ({ seed }: Sources, { pixels }: Photograph, number: number): Uint8Array =>
  augment(pixels, randomStream(seed, "augmentation of shards"), number, { leastArea: 0.6 });

/** One to six photographs, each with the name of what it shows. */
function photographsAt(sources: Sources, index: number): DocumentWithImages {
  const draws = drawsAt(sources.seed, "documents of photographs", index);
  const shown = Array.from({ length: 1 + draws.below(6) }, () => draws.pick(sources.photographs.train));
  const chunks = shown.map(
    (photograph): Chunk<Photograph> => ({
      ...{ shown: { kind: "scene", scene: photograph }, words: "" },
      ...{ prompt: "Output:", answer: withArticle(photograph.kind) },
    }),
  );
  return {
    document: { kind: "caption", chunks },
    images: shown.map((photograph) => seen(sources, photograph, draws.below(2 ** 31))),
  };
}

type AlbumName = "names of photographs" | "names of characters";

/** Images by what they show, and that as things that have names: new ones are given to them. */
interface Album {
  readonly things: readonly Thing[];
  /** One of the images of a thing. */
  image(thing: Thing, number: number): Uint8Array;
}

const albums = new WeakMap<Sources, Partial<Record<AlbumName, Album>>>();

function albumOf(sources: Sources, name: AlbumName): Album {
  const known = albums.get(sources) ?? {};
  albums.set(sources, known);
  known[name] ??=
    name === "names of photographs"
      ? madeAlbum(sources, sources.photographs.train, (photograph, number) =>
          seen(sources, photograph, number),
        )
      : madeAlbum(sources, sources.characters, ({ pixels }) => pixels);
  return known[name];
}

function madeAlbum<Shown extends { readonly kind: string }>(
  { things }: Sources,
  all: readonly Shown[],
  imageOf: (shown: Shown, number: number) => Uint8Array,
): Album {
  const byKind = groupedBy(all, ({ kind }) => kind);
  return {
    // The world's things are among them for their words, which no made-up name may be.
    things: [
      ...things.map((thing) => ({ ...thing, isNamed: false })),
      ...[...byKind.keys()].map((name): Thing => ({ name, group: "objects", isNamed: true })),
    ],
    image({ name }, number) {
      const own = byKind.get(name)!;
      return imageOf(own[number % own.length]!, number);
    },
  };
}

/** New names for what an album shows. */
function namesAt(sources: Sources, { things, image }: Album, index: number): DocumentWithImages {
  const document = documentAt<never>({
    ...{ kind: "image-image", things, seed: sources.seed, index },
    sceneAt() {
      throw new Error("bindings have no scenes");
    },
  });
  const images = imagesOf(document).map((shown, i) => {
    if (!("thing" in shown)) throw new Error("bindings have no scenes");
    return image(shown.thing, numberOf(sources, document, i));
  });
  return { document, images };
}
