/** Drawn images that no training sees: scenes of the split for testing, as PNG files. */
import { randomStream } from "../../../src/base/random.js";
import { drawScene } from "../world/draw.js";
import { pngOf } from "../world/png.js";
import type { Scene, Thing } from "../world/scene.js";
import { type SceneOptions, sceneAt } from "../world/scenes.js";
import type { Sprites } from "../world/sprite.js";

/** What everything is drawn of. */
export interface World {
  readonly things: readonly Thing[];
  readonly sprites: Sprites;
  /** A whole number from 0 to 2^53 − 1: another one gives other queries. */
  readonly seed: number;
  /** Of drawn images, in pixels a side. Default: 64. */
  readonly size?: number;
}

/** A task's own seed, so that no two tasks ask about the same images. */
export const seedOf = ({ seed }: Pick<World, "seed">, task: string): number =>
  Math.floor(randomStream(seed, `tiny/evaluate/${task}`).uniform(0) * 2 ** 53);

/** What is wanted of a scene beside its place in the list. */
export type Wanted = Omit<SceneOptions, "things" | "seed" | "index" | "split" | "colourOf">;

/**
 * @param seed of the task
 * @returns kinds stand together in it that never do in training; one of a single kind is of another stream
 */
export const testScene = (world: World, seed: number, index: number, wanted: Wanted = {}): Scene =>
  sceneAt({
    ...wanted,
    things: world.things,
    seed,
    index,
    split: "test",
    colourOf: (thing, style) => world.sprites.get(thing, style).edge,
  });

export const pngOfScene = ({ sprites, size = 64 }: World, scene: Scene): Promise<Uint8Array> =>
  pngOf(drawScene(scene, sprites, { size }));
