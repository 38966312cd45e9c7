/** Things and sprites that need no package: enough to compose and to draw. */
import { type Colour, groups, type Style, type Thing } from "../../../../recipes/tiny/world/scene.js";
import { edgeColour, levelsOf, type Sprites, spriteSide } from "../../../../recipes/tiny/world/sprite.js";

export const madeThings: readonly Thing[] = Array.from({ length: 200 }, (_, i) => ({
  name: `thing ${i}`,
  group: groups[i % groups.length]!,
  isNamed: i % 20 !== 7,
  ...(i % 3 === 0 && { missingStyles: ["emojione"] as const }),
  ...(i % 10 === 0 && { isHanded: true }),
}));

/** Squares: the left half of each in one colour, the right in another. */
export function halves(left: Colour, right: Colour): Sprites {
  const pixels = new Uint8Array(4 * spriteSide ** 2);
  for (let i = 0; i < spriteSide ** 2; i++)
    pixels.set([...(i % spriteSide < spriteSide / 2 ? left : right), 255], 4 * i);
  const levels = levelsOf(pixels);
  const sprite = { levels, edge: edgeColour(levels) };
  return { get: (_thing: Thing, _style: Style) => sprite };
}
