/** Questions about an image with short answers, and statements that are true or false. */
import type { Counted, Group, Relation, Thing } from "../world/scene.js";
import { caption } from "./captions.js";
import type { Draws } from "./draws.js";
import { type Facts, inverse } from "./facts.js";
import { isPlural, numbers, pluralOf, withArticle } from "./names.js";

export const questionKinds = [
  "what", // What is this? a pizza
  "group", // What kind of thing is it? food
  "count", // How many pizzas are there? two
  "total", // How many things are there? three
  "presence", // Is there a pizza? yes
  "beside", // What is to the left of the umbrella? a snail
  "place", // Where is the snail? left
  "statement", // True or false: there are two pizzas. true
  "agreement", // There are two pizzas, right? yes
] as const;
export type QuestionKind = (typeof questionKinds)[number];

export interface Question {
  readonly kind: QuestionKind;
  readonly question: string;
  readonly answer: string;
}

/** One word for a group. Unicode's groups are wider than their first name: animals are beside plants, places beside vehicles. */
export const groupWords = {
  animals: "nature",
  food: "food",
  places: "travel",
  activities: "activity",
  objects: "object",
} as const satisfies Record<Group, string>;

/** Where something lies, in one word, and in a question. */
const sides = {
  "left of": { word: "left", of: ["to the left of", "left of"] },
  "right of": { word: "right", of: ["to the right of", "right of"] },
  above: { word: "above", of: ["above"] },
  below: { word: "below", of: ["below"] },
} as const satisfies Record<Relation, { word: string; of: readonly string[] }>;

const wordings = {
  what: ["What is this?", "What is it?", "What does the image show?"],
  group: ["What kind of thing is it?", "Which group is it of?"],
  total: ["How many things are there?", "How many things do you see?"],
} as const;

const isOne = ({ counted }: Facts) => counted.length === 1 && counted[0]!.count === 1;

/** The kinds of questions that can be asked of these facts. */
export const kindsFor = (facts: Facts): readonly QuestionKind[] => [
  ...(isOne(facts) ? (["what", "group"] as const) : []),
  ...(["count", "total", "presence", "statement", "agreement"] as const),
  ...(facts.relation && facts.counted.every(({ count }) => count === 1)
    ? (["beside", "place"] as const)
    : []),
];

/**
 * A question of a kind that `kindsFor` has for these facts.
 *
 * @param things what else could be in an image; more than are in this one
 */
export function questionOf(
  kind: QuestionKind,
  facts: Facts,
  things: readonly Thing[],
  draws: Draws,
): Question {
  const [question, answer] = makers[kind](facts, things, draws);
  return { kind, question, answer };
}

type Maker = (
  facts: Facts,
  things: readonly Thing[],
  draws: Draws,
) => readonly [question: string, answer: string];

const makers: Readonly<Record<QuestionKind, Maker>> = {
  what: ({ counted }, _, draws) => [draws.pick(wordings.what), withArticle(counted[0]!.thing.name)],
  group: ({ counted }, _, draws) => [draws.pick(wordings.group), groupWords[counted[0]!.thing.group]],
  count(facts, things, draws) {
    const isThere = draws.chance(0.85);
    const { thing, count } = isThere
      ? draws.pick(facts.counted)
      : { thing: absent(facts, things, draws), count: 0 };
    const many = pluralOf(thing.name);
    return [draws.pick([`How many ${many} are there?`, `How many ${many} do you see?`]), numbers[count]!];
  },
  total: ({ counted }, _, draws) => [
    draws.pick(wordings.total),
    numbers[counted.reduce((sum, { count }) => sum + count, 0)]!,
  ],
  presence(facts, things, draws) {
    const isThere = draws.chance(0.5);
    const { name } = isThere ? draws.pick(facts.counted).thing : absent(facts, things, draws);
    const one = withArticle(name);
    const be = isPlural(name) ? "Are" : "Is";
    return [
      draws.pick([`${be} there ${one}?`, `Do you see ${one}?`, `${be} ${one} in the image?`]),
      yesNo(isThere),
    ];
  },
  beside({ counted, relation }, _, draws) {
    const [asked, answer, side] = draws.chance(0.5)
      ? [counted[1]!, counted[0]!, inverse[relation!]]
      : [counted[0]!, counted[1]!, relation!];
    return [
      `What is ${draws.pick<string>(sides[side].of)} ${definite(asked)}?`,
      withArticle(answer.thing.name),
    ];
  },
  place({ counted, relation }, _, draws) {
    const [asked, other, side] = draws.chance(0.5)
      ? [counted[0]!, counted[1]!, inverse[relation!]]
      : [counted[1]!, counted[0]!, relation!];
    const be = isPlural(asked.thing.name) ? "are" : "is";
    return [`Where ${be} ${definite(asked)}, seen from ${definite(other)}?`, sides[side].word];
  },
  statement(facts, things, draws) {
    const isTrue = draws.chance(0.5);
    const said = sentence(isTrue ? partOf(facts, draws) : changed(facts, things, draws));
    return [
      draws.pick([`True or false: ${said}.`, `${capital(said)}. True or false?`]),
      isTrue ? "true" : "false",
    ];
  },
  agreement(facts, things, draws) {
    const isTrue = draws.chance(0.5);
    const said = sentence(isTrue ? partOf(facts, draws) : changed(facts, things, draws));
    return [draws.pick([`${capital(said)}, right?`, `Is it right that ${said}?`]), yesNo(isTrue)];
  },
};

const yesNo = (is: boolean) => (is ? "yes" : "no");
const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1);
/** "there are two pizzas and a guitar" */
const sentence = (facts: Facts) => caption(facts, "sentence").replace(/^T/, "t").slice(0, -1);
/** "the snail": of one thing alone. */
const definite = ({ thing }: Counted) => `the ${thing.name}`;

/** A thing that is not in the image. */
function absent({ counted }: Facts, things: readonly Thing[], draws: Draws): Thing {
  const isThere = (thing: Thing) => counted.some((each) => each.thing.name === thing.name);
  for (let tries = 0; tries < 100; tries++) {
    const thing = draws.pick(things);
    if (!isThere(thing)) return thing;
  }
  return things.find((thing) => !isThere(thing))!;
}

/** All facts, or one of the things with its number. */
const partOf = (facts: Facts, draws: Draws): Facts =>
  draws.chance(0.5) ? facts : { counted: [draws.pick(facts.counted)] };

/** Facts that are wrong in one respect. */
function changed(facts: Facts, things: readonly Thing[], draws: Draws): Facts {
  const { relation } = facts;
  if (relation && draws.chance(0.5)) return { ...facts, relation: inverse[relation] };
  const part = partOf(facts, draws);
  const at = draws.below(part.counted.length);
  const { thing, count } = part.counted[at]!;
  // Where things lie is only said of single ones.
  const wrong =
    !part.relation && draws.chance(0.5)
      ? { thing, count: otherCount(count, draws) }
      : { thing: absent(facts, things, draws), count };
  return { ...part, counted: part.counted.map((each, i) => (i === at ? wrong : each)) };
}

/** Small numbers more often, as they are in images: a large one would mostly be false. */
const otherCount = (count: number, draws: Draws): number =>
  Number(draws.weighted({ 1: 6, 2: 3, 3: 2, 4: 1, [count]: 0 }));
