/**
 * Writes images that the small model has not seen, with their captions, as `openflamingo prepare MODEL --report` and
 * `--calibrate` read them: scenes of one to three things.
 *
 *     npx tsx recipes/tiny/evaluate/texts.ts FOLDER [--count 200] [--seed 2000]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { caption } from "../words/captions.js";
import { factsOf } from "../words/facts.js";
import { openSprites } from "../world/sprites.node.js";
import { loadThings } from "../world/things.node.js";
import { pngOfScene, testScene } from "./drawn.js";

const { values: given, positionals } = parseArgs({
  options: { count: { type: "string", default: "200" }, seed: { type: "string", default: "2000" } },
  allowPositionals: true,
});
const [folder] = positionals;
if (!folder) throw new Error("usage: texts.ts FOLDER [--count 200] [--seed 2000]");

const things = await loadThings();
const world = { things, sprites: await openSprites(things), seed: Number(given.seed) };
await mkdir(folder, { recursive: true });
const texts = await Promise.all(
  Array.from({ length: Number(given.count) }, async (_, i) => {
    const scene = testScene(world, world.seed, i, { count: 1 + (i % 3) });
    await writeFile(join(folder, `${i}.png`), await pngOfScene(world, scene));
    return { image: `${i}.png`, text: caption(factsOf(scene)) };
  }),
);
await writeFile(join(folder, "texts.json"), `${JSON.stringify(texts, null, 2)}\n`);
