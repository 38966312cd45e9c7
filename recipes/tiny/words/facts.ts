/** What a text says of an image: which things, how many of each, and how two of them lie. */
import { countedOf, relationOf } from "../world/facts.js";
import type { Counted, Relation, Scene, Thing } from "../world/scene.js";
import { counted, numbers, pluralOf, withArticle } from "./names.js";

export interface Facts {
  /** In the order in which they are named. Not empty. */
  readonly counted: readonly Counted[];
  /** How the second of two single things lies, seen from the first. */
  readonly relation?: Relation | undefined;
}

/** What a scene shows. */
export const factsOf = (scene: Scene): Facts => ({
  counted: countedOf(scene),
  relation: relationOf(scene),
});

/** Facts of an image of one thing. */
export const factsOfThing = (thing: Thing): Facts => ({ counted: [{ thing, count: 1 }] });

/** How the first lies, seen from the second. */
export const inverse = {
  "left of": "right of",
  "right of": "left of",
  above: "below",
  below: "above",
} as const satisfies Record<Relation, Relation>;

/** "a", "a and b", "a, b and c" */
export const listed = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)!}`;

/** "two pizzas and a guitar" */
export const phraseOf = (things: readonly Counted[]): string =>
  listed(things.map(({ thing, count }) => counted(thing.name, count)));

/** Finds things by how they are called. */
export interface Lexicon {
  readonly byName: ReadonlyMap<string, Thing>;
  /** By the name with its article: "a pizza". */
  readonly byOne: ReadonlyMap<string, Thing>;
  /** By the plural: "pizzas". */
  readonly byMore: ReadonlyMap<string, Thing>;
}

export function lexiconOf(things: readonly Thing[]): Lexicon {
  const by = (call: (name: string) => string) =>
    new Map(things.map((thing) => [call(thing.name), thing] as const));
  return { byName: by((name) => name), byOne: by(withArticle), byMore: by(pluralOf) };
}

/** "two pizzas" with its thing; undefined for what is no such phrase. */
export function readCounted(phrase: string, { byOne, byMore }: Lexicon): Counted | undefined {
  const one = byOne.get(phrase);
  if (one) return { thing: one, count: 1 };
  const space = phrase.indexOf(" ");
  const count = numbers.indexOf(phrase.slice(0, space) as (typeof numbers)[number]);
  const more = byMore.get(phrase.slice(space + 1));
  return more && count > 1 ? { thing: more, count } : undefined;
}

/**
 * The items of a list, each read by `read`; undefined where the text is no such list. Names may hold the word that
 * joins ("fork and knife"), so that every way to cut is tried.
 */
export function readList<T>(
  text: string,
  joints: readonly string[],
  read: (item: string) => T | undefined,
): readonly T[] | undefined {
  const whole = read(text);
  if (whole !== undefined) return [whole];
  for (let at = 1; at < text.length; at++) {
    const joint = joints.find((each) => text.startsWith(each, at));
    if (joint === undefined) continue;
    const first = read(text.slice(0, at));
    const rest = first === undefined ? undefined : readList(text.slice(at + joint.length), joints, read);
    if (first !== undefined && rest) return [first, ...rest];
  }
  return undefined;
}

/** Whether two texts say the same: things, counts and how they lie. */
export const sameFacts = (a: Facts, b: Facts): boolean =>
  a.relation === b.relation &&
  a.counted.length === b.counted.length &&
  a.counted.every(
    ({ thing, count }, i) => thing.name === b.counted[i]!.thing.name && count === b.counted[i]!.count,
  );
