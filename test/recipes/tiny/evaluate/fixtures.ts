/** A world to ask about that needs no packages, and models that say what they are told to. */
import type { World } from "../../../../recipes/tiny/evaluate/drawn.js";
import type { Character, Photograph } from "../../../../recipes/tiny/world/photographs.node.js";
import type { Style, Thing } from "../../../../recipes/tiny/world/scene.js";
import { things } from "../words/things.js";
import { halves } from "../world/made.js";

export { things } from "../words/things.js";

/** @param onDrawn called for each thing that is drawn */
export function worldOf(seed: number, onDrawn: (thing: Thing, style: Style) => void = () => {}): World {
  const sprites = halves([200, 30, 30], [30, 30, 200]);
  return {
    things,
    seed,
    size: 16,
    sprites: {
      get(thing, style) {
        onDrawn(thing, style);
        return sprites.get(thing, style);
      },
    },
  };
}

const side = 64;
const plain = (red: number, green: number) =>
  new Uint8Array(3 * side * side).map((_, i) => [red, green, 0][i % 3]!);

/** Thirty photographs of three kinds; the second colour counts them. */
export const photographs: readonly Photograph[] = Array.from({ length: 30 }, (_, i) => ({
  pixels: plain(80 * (i % 3), 8 * i),
  kind: ["tabby cat", "ox", "car"][i % 3]!,
  names: [
    ["tabby cat", "tabby"],
    ["ox", "tabby cat"],
    ["car", "automobile"],
  ][i % 3]!,
}));

/** Two alphabets of four characters by twenty people; the colours are the character's and the drawer's number. */
export const characters: readonly Character[] = ["Greek", "Futurama"].flatMap((alphabet, a) =>
  Array.from({ length: 80 }, (_, i) => {
    const [character, drawer] = [Math.floor(i / 20), i % 20];
    return {
      alphabet,
      kind: `${alphabet} ${character}`,
      drawer,
      pixels: plain(20 * (4 * a + character), 10 * drawer),
    };
  }),
);
