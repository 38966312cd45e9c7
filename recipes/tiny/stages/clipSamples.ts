/** What the image tower learns from: drawn scenes and, where they are at hand, photographs, each with its text. */
import { join } from "node:path";
import { randomStream } from "../../../src/base/random.js";
import { caption } from "../words/captions.js";
import { factsOf } from "../words/facts.js";
import { withArticle } from "../words/names.js";
import { augment } from "../world/augment.js";
import { coverOf } from "../world/cover.js";
import { drawScene } from "../world/draw.js";
import {
  type Character,
  cifar10,
  omniglot,
  type Photograph,
  tinyImageNet,
} from "../world/photographs.node.js";
import { redraw } from "../world/redraw.js";
import type { Style, Thing } from "../world/scene.js";
import { type SceneOptions, sceneAt } from "../world/scenes.js";
import type { Sprites } from "../world/sprite.js";
import { openSprites } from "../world/sprites.node.js";
import type { Stage } from "./stage.js";

export interface ClipSample {
  /** Red, green, blue, row by row. */
  readonly pixels: Uint8Array;
  readonly text: string;
  /** The number of its class, −1 where it is of none or of several. */
  readonly label: number;
  /** The same of each patch, by the thing that it shows, row by row; undefined where nobody knows. */
  readonly patchLabels?: Int32Array | undefined;
}

export interface ClipSources {
  readonly things: readonly Thing[];
  readonly sprites: Sprites;
  readonly photographs: { readonly train: readonly Photograph[]; readonly test: readonly Photograph[] };
  /** Of the alphabets for training; the image encoder is not trained on them. */
  readonly characters: readonly Character[];
  /** Names of things and of what photographs show, with their numbers. */
  readonly classes: ReadonlyMap<string, number>;
  readonly seed: number;
  readonly imageSize: number;
  /** A side. */
  readonly patches: number;
}

/** Drawings and photographs, rendered and decoded once and kept in files. */
export async function openSources({ settings, things, photographs, tell }: Stage): Promise<ClipSources> {
  const progress = (done: number, total: number) => {
    if (done === total) tell(`images: ${total} are made`);
  };
  const [found, sprites] = [
    await readPhotographs(photographs, progress),
    await openSprites(things, { progress }),
  ];
  const characters =
    photographs === undefined ? [] : await omniglot(join(photographs, "omniglot"), "background");
  const { imageSize, patchSize } = settings.clip;
  return {
    ...{ things, sprites, photographs: found, characters, classes: classesOf(things, found) },
    ...{ seed: settings.seed, imageSize, patches: imageSize / patchSize },
  };
}

/** @param folder with `tinyimagenet` and `cifar10` in it, or one of them; without either there are drawings alone */
export async function readPhotographs(
  folder: string | undefined,
  progress: (done: number, total: number) => void,
): Promise<ClipSources["photographs"]> {
  if (folder === undefined) return { train: [], test: [] };
  const of = async (split: "train" | "test") => [
    ...(await tinyImageNet(join(folder, "tinyimagenet"), split, { progress })),
    ...(await cifar10(join(folder, "cifar10"), split, { progress })),
  ];
  return { train: await of("train"), test: await of("test") };
}

/** Things that are named come first: a thing and a photograph of the same name are of one class. */
export function classesOf(
  things: readonly Thing[],
  { train }: ClipSources["photographs"],
): ReadonlyMap<string, number> {
  const named = things.filter(({ isNamed }) => isNamed).map(({ name }) => name);
  const names = new Set([...named, ...train.map(({ kind }) => kind)]);
  return new Map([...names].map((name, number) => [name, number]));
}

/** Of samples, where there are photographs. */
const photographShare = 0.4;
/** Of scenes: those of a single thing, which the classes are learnt from. */
const singleShare = 0.6;

/** Sample 0, 1, 2, … for training, endless; a pure function. */
export function clipSample(sources: ClipSources, index: number): ClipSample {
  const { photographs, seed } = sources;
  const { uniform } = randomStream(seed, "samples of images with texts");
  if (photographs.train.length > 0 && uniform(index, 0) < photographShare) {
    const photograph = photographs.train[Math.floor(uniform(index, 1) * photographs.train.length)]!;
    const pixels = augment(photograph.pixels, randomStream(seed, "augmentation"), index);
    return { ...ofPhotograph(sources, photograph), pixels };
  }
  const scene = ofScene(sources, {
    index,
    split: "train",
    ...(uniform(index, 2) < singleShare && { count: 1 }),
  });
  return { ...scene, pixels: redraw(scene.pixels, randomStream(seed, "other hands"), index) };
}

/** Scenes of one thing for testing, in given styles. */
export const singleTestScene = (sources: ClipSources, index: number, styles?: readonly Style[]): ClipSample =>
  ofScene(sources, { index, split: "test", count: 1, ...(styles && { styles }) });

export const ofPhotograph = ({ classes }: ClipSources, { pixels, kind }: Photograph): ClipSample => ({
  ...{ pixels, text: `photo of ${withArticle(kind)}`, label: classes.get(kind)! },
});

function ofScene(
  { things, sprites, classes, seed, imageSize, patches }: ClipSources,
  options: Omit<SceneOptions, "things" | "seed" | "colourOf">,
): ClipSample {
  const colourOf: SceneOptions["colourOf"] = (thing, style) => sprites.get(thing, style).edge;
  const scene = sceneAt({ things, seed, colourOf, ...options });
  const facts = factsOf(scene);
  const [only, ...others] = facts.counted;
  const label = others.length > 0 ? -1 : classes.get(only!.thing.name)!;
  const patchLabels = coverOf(scene, sprites, patches).map((number) =>
    number < 0 ? -1 : classes.get(scene.placed[number]!.thing.name)!,
  );
  return { pixels: drawScene(scene, sprites, { size: imageSize }), text: caption(facts), label, patchLabels };
}
