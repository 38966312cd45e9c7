/** The things that the recipe's images show: concrete ones of Unicode's emoji that are drawn in every style. */
import { randomStream } from "../../../src/base/random.js";
import { hasLookalikes, isHanded, isPhotographed, plainName } from "./names.js";
import { iconNamesOf, readEmoji } from "./packages.node.js";
import {
  furtherStyles,
  type Group,
  groups,
  outlinedNames,
  outlinedStyles,
  type PackagedStyle,
  packagedStyles,
  type Thing,
} from "./scene.js";

/** EmojiOne 2 is of 2016 and lacks what came later: a thing does not fall out for that. */
const incomplete: readonly PackagedStyle[] = ["emojione", ...furtherStyles];

const groupOf: Readonly<Record<string, Group>> = {
  "Animals & Nature": "animals",
  "Food & Drink": "food",
  "Travel & Places": "places",
  Activities: "activities",
  Objects: "objects",
};

/** Things that are never named in training: so many of each group. */
export const unnamedPerGroup = 8;
const seedOfUnnamed = 40;

/** A thing, and what its drawings are called in the packages that have one. */
export interface DrawnThing extends Thing {
  readonly icons: Readonly<Partial<Record<PackagedStyle, string>>>;
}

/**
 * The 832 things, in Unicode's order. They are the same at every call: a thing's place in the list can be its number.
 *
 * @throws Error where the packages are not installed
 */
export async function loadThings(): Promise<readonly DrawnThing[]> {
  const emoji = await readEmoji();
  const drawn = new Map<PackagedStyle, ReadonlySet<string>>();
  for (const style of packagedStyles) drawn.set(style, await iconNamesOf(style));
  const slugs = new Set(Object.values(emoji).map(({ slug }) => slug.replaceAll("_", "-")));

  const things = Object.values(emoji).flatMap(({ name, slug, group: unicodeGroup }) => {
    const icon = slug.replaceAll("_", "-");
    const group = groupOf[unicodeGroup];
    const icons: Partial<Record<PackagedStyle, string>> = {};
    for (const [style, names] of drawn) {
      const found = incomplete.includes(style)
        ? spellings(icon, slugs).find((each) => names.has(each))
        : icon;
      if (found !== undefined && names.has(found)) icons[style] = found;
    }
    const missing = packagedStyles.filter((style) => icons[style] === undefined);
    if (group === undefined || !missing.every((style) => incomplete.includes(style))) return [];
    const without = outlinedNames.filter((style) =>
      outlinedStyles[style].some((part) => missing.includes(part)),
    );
    return [
      {
        name: plainName(name),
        group,
        icons,
        ...(missing.length > 0 && { missingStyles: [...missing, ...without] }),
        ...(isHanded(name) && { isHanded: true }),
      },
    ];
  });
  const unnamed = new Set(
    groups.flatMap((group) => drawUnnamed(things.filter((thing) => thing.group === group))),
  );
  return things.map((thing) => ({ ...thing, isNamed: !unnamed.has(thing.name) }));
}

/**
 * What older sets call a drawing: as Unicode does, in one word, as the first of several, with or without "face" where
 * that is no other thing.
 */
function spellings(icon: string, slugs: ReadonlySet<string>): string[] {
  const face = icon.endsWith("-face") ? icon.slice(0, -"-face".length) : `${icon}-face`;
  return [icon, `${icon}-1`, ...(slugs.has(face) ? [] : [face])].flatMap((name) => [
    name,
    name.replaceAll("-", ""),
  ]);
}

/**
 * By lot. Not those that are hard to tell from others, for what is to be tested with them is the learning of a word, and
 * not those that photographs show under the same name.
 */
function drawUnnamed(things: readonly Omit<Thing, "isNamed">[]): string[] {
  const random = randomStream(seedOfUnnamed, "things never named");
  return things
    .filter(({ name, isHanded: handed }) => !handed && !hasLookalikes(name) && !isPhotographed(name))
    .map(({ name }, i) => ({ name, lot: random.uniform(i, groups.indexOf(things[0]!.group)) }))
    .sort((a, b) => a.lot - b.lot)
    .slice(0, unnamedPerGroup)
    .map(({ name }) => name);
}
