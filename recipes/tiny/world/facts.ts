/** What is true of a scene, for captions, questions and their answers. */
import type { Counted, Placed, Relation, Scene } from "./scene.js";

/** So far apart, in shares of the image's side, and so many times further than in the other direction. */
const clear = { least: 0.2, times: 1.75 };

/** From left to right; what stands roughly below the other comes after it. */
const order = ({ x, y }: Placed): number => x + 0.4 * y;

/** Things with how many there are of each, in the order in which a caption names them: from left to right, then down. */
export function countedOf(scene: Scene): readonly Counted[] {
  const counted = new Map<string, { thing: Counted["thing"]; count: number }>();
  for (const { thing } of [...scene.placed].sort((a, b) => order(a) - order(b))) {
    const found = counted.get(thing.name);
    if (found) found.count++;
    else counted.set(thing.name, { thing, count: 1 });
  }
  return [...counted.values()];
}

/**
 * How the second of two counted things lies, seen from the first, in the order of `countedOf`. By that order it is
 * mostly right of it or below it; the reverse holds of the first, seen from the second.
 *
 * @returns undefined where there are not two things of two kinds, or where one would not say either word
 */
export function relationOf(scene: Scene): Relation | undefined {
  const [first, second] = [...scene.placed].sort((a, b) => order(a) - order(b));
  if (!first || !second || scene.placed.length > 2 || first.thing.name === second.thing.name)
    return undefined;
  return relationBetween(first, second);
}

/** How the second lies, seen from the first; undefined where it is not clear. */
export function relationBetween(first: Placed, second: Placed): Relation | undefined {
  const [across, down] = [second.x - first.x, second.y - first.y];
  const [more, less] = [Math.abs(across), Math.abs(down)].sort((a, b) => b - a) as [number, number];
  if (more < clear.least || more < clear.times * less) return undefined;
  if (more === Math.abs(across)) return across > 0 ? "right of" : "left of";
  return down > 0 ? "below" : "above";
}
