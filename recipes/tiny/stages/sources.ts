/** What images are made of: drawings, photographs and characters, rendered and decoded once. */
import { join } from "node:path";
import {
  type Character,
  cifar10,
  omniglot,
  type Photograph,
  tinyImageNet,
} from "../world/photographs.node.js";
import type { Thing } from "../world/scene.js";
import type { Sprites } from "../world/sprite.js";
import { openSprites } from "../world/sprites.node.js";
import type { Stage } from "./stage.js";

export interface Sources {
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
export async function openSources({ settings, things, photographs, tell }: Stage): Promise<Sources> {
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
): Promise<Sources["photographs"]> {
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
  { train }: Sources["photographs"],
): ReadonlyMap<string, number> {
  const named = things.filter(({ isNamed }) => isNamed).map(({ name }) => name);
  const names = new Set([...named, ...train.map(({ kind }) => kind)]);
  return new Map([...names].map((name, number) => [name, number]));
}
