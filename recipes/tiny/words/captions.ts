/** Captions of an image in several styles, and back from a caption to what it says. */
import type { Counted, Relation } from "../world/scene.js";
import { type Facts, inverse, type Lexicon, phraseOf, readCounted, readList } from "./facts.js";
import { pluralOf } from "./names.js";

/** The first is what is said unless a prompt shows another one; whether a caption is wholly right is judged in it. */
export const captionStyles = [
  "plain", // two pizzas and a guitar
  "sentence", // There are two pizzas and a guitar.
  "photo", // photo of two pizzas and a guitar
  "exclamation", // look, two pizzas and a guitar!
  "seen", // I see two pizzas and a guitar.
  "times", // 2x pizza, 1x guitar
  "figures", // 2 pizzas + 1 guitar
  "bullets", // - pizza - pizza - guitar
] as const;
export type CaptionStyle = (typeof captionStyles)[number];

/** How the first of two things lies to the second: a relation of a scene is said from the other side. */
const lies = {
  "left of": "to the left of",
  "right of": "to the right of",
  above: "above",
  below: "below",
} as const satisfies Record<Relation, string>;

/** Where the second of two things lies, for lists. */
const reading = {
  "right of": "left to right",
  "left of": "right to left",
  below: "top to bottom",
  above: "bottom to top",
} as const satisfies Record<Relation, string>;

const inWords = ({ counted, relation }: Facts): string => {
  const [first, second] = counted;
  return relation && first && second
    ? `${phraseOf([first])} ${lies[inverse[relation]]} ${phraseOf([second])}`
    : phraseOf(counted);
};

const inList = (facts: Facts, joint: string, item: (each: Counted) => string): string =>
  facts.counted.map(item).join(joint) + (facts.relation ? ` (${reading[facts.relation]})` : "");

const figure = ({ thing, count }: Counted) => `${count} ${count === 1 ? thing.name : pluralOf(thing.name)}`;

/** @param facts counts of 1 to 10 */
export function caption(facts: Facts, style: CaptionStyle = "plain"): string {
  switch (style) {
    case "plain":
      return inWords(facts);
    case "sentence":
      return `There ${facts.counted[0]!.count > 1 ? "are" : "is"} ${inWords(facts)}.`;
    case "photo":
      return `photo of ${inWords(facts)}`;
    case "exclamation":
      return `look, ${inWords(facts)}!`;
    case "seen":
      return `I see ${inWords(facts)}.`;
    case "times":
      return inList(facts, ", ", ({ thing, count }) => `${count}x ${thing.name}`);
    case "figures":
      return inList(facts, " + ", figure);
    case "bullets":
      return inList(facts, " ", ({ thing, count }) => Array(count).fill(`- ${thing.name}`).join(" "));
  }
}

/** What is the same in all captions of a style, around what they say; the first that fits decides. */
const frames: readonly (readonly [CaptionStyle, RegExp])[] = [
  ["sentence", /^There (?:is|are) (.+)\.$/],
  ["photo", /^photo of (.+)$/],
  ["exclamation", /^look, (.+)!$/],
  ["seen", /^I see (.+)\.$/],
  ["times", /^(\d+x .+)$/],
  ["figures", /^(\d+ .+)$/],
  ["bullets", /^- (.+)$/],
  ["plain", /^([a-z].*[^.!])$/],
];

/** The style of a text, also of one whose things are wrong; undefined where it is in none. */
export const styleOf = (text: string): CaptionStyle | undefined =>
  frames.find(([, frame]) => frame.test(text))?.[0];

/** What a caption says; undefined where it is not one of `caption`'s, or of other things. */
export function readCaption(
  text: string,
  lexicon: Lexicon,
): { readonly style: CaptionStyle; readonly facts: Facts } | undefined {
  const style = styleOf(text);
  if (style === undefined) return undefined;
  const said = frames.find(([each]) => each === style)![1].exec(text)![1]!;
  const facts = readers[style]?.(said, lexicon) ?? readWords(said, lexicon);
  // Texts that say it in another way ("There are a pizza.") are none of these captions.
  return facts && caption(facts, style) === text ? { style, facts } : undefined;
}

const readers: Partial<Record<CaptionStyle, (said: string, lexicon: Lexicon) => Facts | undefined>> = {
  times: (said, { byName }) =>
    readItems(said, [", "], (item) => {
      const [, count, name] = /^(\d+)x (.+)$/.exec(item) ?? [];
      return counted(byName.get(name ?? ""), Number(count));
    }),
  figures: (said, { byName, byMore }) =>
    readItems(said, [" + "], (item) => {
      const [, count, name] = /^(\d+) (.+)$/.exec(item) ?? [];
      return counted((count === "1" ? byName : byMore).get(name ?? ""), Number(count));
    }),
  bullets(said, { byName }) {
    const facts = readItems(said, [" - "], (item) => counted(byName.get(item), 1));
    return facts && { ...facts, counted: together(facts.counted) };
  },
};

const counted = (thing: Counted["thing"] | undefined, count: number): Counted | undefined =>
  thing && { thing, count };

/** Neighbours of the same name as one, with their number. */
function together(items: readonly Counted[]): readonly Counted[] {
  const groups: { thing: Counted["thing"]; count: number }[] = [];
  for (const { thing } of items) {
    const last = groups.at(-1);
    if (last?.thing === thing) last.count++;
    else groups.push({ thing, count: 1 });
  }
  return groups;
}

/** A list with the direction in which it is read, if any. */
function readItems(
  said: string,
  joints: readonly string[],
  read: (item: string) => Counted | undefined,
): Facts | undefined {
  const [, items, direction] = /^(.*?)(?: \(([a-z ]+)\))?$/.exec(said)!;
  const relation = (Object.keys(reading) as Relation[]).find((each) => reading[each] === direction);
  if (direction !== undefined && relation === undefined) return undefined;
  const things = readList(items!, joints, read);
  return things && { counted: things, ...(relation && { relation }) };
}

function readWords(said: string, lexicon: Lexicon): Facts | undefined {
  for (const [relation, words] of Object.entries(lies) as [Relation, string][]) {
    const [first, second, ...others] = said.split(` ${words} `);
    const a = first === undefined ? undefined : readCounted(first, lexicon);
    const b = second === undefined ? undefined : readCounted(second, lexicon);
    if (a && b && others.length === 0) return { counted: [a, b], relation: inverse[relation] };
  }
  const things = readList(said, [", ", " and "], (item) => readCounted(item, lexicon));
  return things && { counted: things };
}
