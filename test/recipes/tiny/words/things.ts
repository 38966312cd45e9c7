/** Things for tests: names that are awkward in phrases, and some that are not. */
import { type Group, groups, type Thing } from "../../../../recipes/tiny/world/scene.js";

const names: Readonly<Record<Group, string>> = {
  animals:
    "snail, ox, ewe, goose, mouse, fish, deer, wolf, butterfly, octopus, unicorn, fluttering leaf, nest with eggs, sheaf of rice, ant, dog, cat, eagle",
  food: "pizza, hot dog, bread, cooked rice, cherries, french fries, tomato, kitchen knife, fork and knife, glass of milk, egg, chopsticks, dumpling, onion",
  places:
    "bus, church, house, row of houses, clock at half past two, hourglass, volcano, umbrella in the rain, snowman in the snow, lorry, fog, off-road car",
  activities:
    "skis, trophy, game die, yo-yo, set of bowling pins, balloon, crystal ball, american football, fireworks, piñata, jack-o-lantern",
  objects:
    "scissors, glasses, wine glass, ballet shoes, euro banknote, x-ray, hammer and wrench, dna, scarf, t-shirt, axe, woman’s hat, guitar, door, padlock, padlock with key, abacus, dress",
};

/** Every ninth is never named. */
export const things: readonly Thing[] = groups
  .flatMap((group) => names[group].split(", ").map((name) => ({ name, group })))
  .map((thing, i) => ({ ...thing, isNamed: i % 9 !== 8 }));

export const named = things.filter(({ isNamed }) => isNamed);

export function thing(name: string): Thing {
  const found = things.find((each) => each.name === name);
  if (!found) throw new Error(`no thing ${name}`);
  return found;
}
