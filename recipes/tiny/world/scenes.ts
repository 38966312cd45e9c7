/**
 * Scenes by number: each a pure function of the seed, the split and its index, endless.
 *
 * Kinds that stand together in a scene for testing never do in one for training (`isHeldOut`). Scenes of a single kind
 * come from another stream for testing: other compositions of the same things.
 */
import { randomStream } from "../../../src/base/random.js";
import { chooseBackground } from "./backdrop.js";
import { type Choices, choicesOf } from "./choices.js";
import { isHeldOut } from "./heldOut.js";
import { place } from "./place.js";
import {
  type Colour,
  furtherStyles,
  outlinedNames,
  type Relation,
  type Scene,
  type Style,
  type Thing,
  trainedStyles,
} from "./scene.js";

export { countedOf, relationOf } from "./facts.js";
export { isHeldOut } from "./heldOut.js";

export type Split = "train" | "test";

const stylesOf: Readonly<Record<Split, readonly Style[]>> = {
  train: [...trainedStyles, ...furtherStyles, ...outlinedNames],
  test: trainedStyles,
};

export interface SceneOptions {
  /** To choose from. */
  readonly things: readonly Thing[];
  readonly seed: number;
  /** A whole number from 0. */
  readonly index: number;
  readonly split: Split;
  /** Which of `things` may be chosen. Default: "named". */
  readonly which?: "named" | "unnamed" | "all";
  /** Shows these, each at least once, whichever pairs are held out: that is the caller's to look at. */
  readonly kinds?: readonly Thing[];
  /** Of things in all, from 1 to 4. Default: by lot, or as many as `kinds`. */
  readonly count?: number;
  /** Of different kinds, at most 3. Default: by lot. There may be fewer where no pair is left. */
  readonly kindCount?: number;
  /** Default: those that are trained on; for testing, of these those that have colours and nearly all of the things. */
  readonly styles?: readonly Style[];
  /** Of the second of two things, seen from the first; the first is the first of `kinds`, where they are given. */
  readonly relation?: Relation;
  /** The colour of a thing's outline (`Sprite.edge`), for a background on which it is seen. Default: not looked at. */
  readonly colourOf?: (thing: Thing, style: Style) => Colour;
}

/** How often there are 1, 2, 3 and 4 things, and of how many kinds so many are. */
const countWeights = [40, 30, 18, 12];
const kindWeights: Readonly<Record<number, readonly number[]>> = {
  1: [1],
  2: [3, 7],
  3: [25, 40, 35],
  4: [30, 45, 25],
};

/** @throws Error where nothing fits what was asked for */
export function sceneAt(options: SceneOptions): Scene {
  const { seed, index, split, styles = stylesOf[split], relation, colourOf } = options;
  const choices = choicesOf(randomStream(seed, `scene for ${split}ing`), index);
  const things = options.kinds ? repeated(options.kinds, options, choices) : chooseThings(options, choices);
  const placed = place(things, { styles, relation }, choices);
  const edges = colourOf ? placed.map(({ thing, style }) => colourOf(thing, style)) : [];
  return { background: chooseBackground(edges, choices), placed };
}

/** Every kind once, the rest by lot. */
function repeated(
  kinds: readonly Thing[],
  { count = kinds.length }: SceneOptions,
  choices: Choices,
): Thing[] {
  if (kinds.length === 0 || kinds.length > count || count > countWeights.length)
    throw new Error(`a scene of ${count} things of ${kinds.length} kinds cannot be made`);
  return [...kinds, ...Array.from({ length: count - kinds.length }, () => choices.pick(kinds))];
}

function chooseThings(options: SceneOptions, choices: Choices): Thing[] {
  const { which = "named", relation, split, styles = stylesOf[split] } = options;
  const pool = options.things.filter(
    (thing) =>
      (which === "all" || thing.isNamed === (which === "named")) &&
      styles.some((style) => !thing.missingStyles?.includes(style)),
  );
  const count =
    options.count ?? (relation ? 2 : Math.max(options.kindCount ?? 1, 1 + choices.weighted(countWeights)));
  const kindCount = options.kindCount ?? (relation ? 2 : 1 + choices.weighted(kindWeights[count] ?? [1]));
  const kinds = [choices.pick(pool)];
  while (kinds.length < kindCount) {
    const next = partner(kinds, pool, split, choices);
    if (!next) break;
    kinds.push(next);
  }
  return repeated(kinds, { ...options, count }, choices);
}

/** A thing that may stand with all of the others in this split: the first from a random place on. */
function partner(
  others: readonly Thing[],
  pool: readonly Thing[],
  split: Split,
  choices: Choices,
): Thing | undefined {
  const start = choices.below(pool.length);
  for (let i = 0; i < pool.length; i++) {
    const thing = pool[(start + i) % pool.length]!;
    const mayStand = others.every(
      (other) => other.name !== thing.name && isHeldOut(other, thing) === (split === "test"),
    );
    if (mayStand) return thing;
  }
  return undefined;
}
