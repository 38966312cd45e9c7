/**
 * Writes drawings that the small model has not seen, for the package: six scenes of the split for testing by lot, in
 * Noto's hand, larger than the model sees them.
 *
 *     npx tsx recipes/tiny/evaluate/examples.ts FOLDER [seed]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { countedOf } from "../world/scenes.js";
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { pngOfScene, testScene } from "./drawn.js";

const [folder, seed = "1"] = process.argv.slice(2);
if (!folder) throw new Error("npx tsx recipes/tiny/evaluate/examples.ts FOLDER [seed]");

const things = await loadThings();
const world = { things, sprites: await openSprites(things), seed: Number(seed), size: 192 };
await mkdir(folder, { recursive: true });
for (let i = 0; i < 6; i++) {
  const scene = testScene(world, world.seed, i, { styles: ["noto"], count: i < 4 ? 1 : 2 });
  const name = countedOf(scene)
    .map(({ thing, count }) => (count === 1 ? thing.name : `${count} ${thing.name}`))
    .join(" and ");
  await writeFile(join(folder, `${name.replaceAll(" ", "-")}.png`), await pngOfScene(world, scene));
  console.log(name);
}
