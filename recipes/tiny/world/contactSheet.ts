/**
 * 64 random scenes as a person would look at them.
 *
 *     npx tsx recipes/tiny/world/contactSheet.ts FILE.png [seed] [train|test] [style]
 *
 * With a style all of them are in it.
 */
import sharp from "sharp";
import { drawScene } from "./draw.js";
import type { Style } from "./scene.js";
import { countedOf, relationOf, sceneAt } from "./scenes.js";
import { openSprites } from "./sprites.node.js";
import { loadThings } from "./things.node.js";

const [file, seed = "0", split = "train", style] = process.argv.slice(2);
if (!file || (split !== "train" && split !== "test")) {
  console.error("npx tsx recipes/tiny/world/contactSheet.ts FILE.png [seed] [train|test] [style]");
  process.exit(2);
}
const columns = 8;
const [size, shown, gap] = [64, 128, 4];

const things = await loadThings();
const sprites = await openSprites(things, {
  progress: (done, total) => {
    if (done % 100 === 0 || done === total) process.stderr.write(`\rrendering ${done} of ${total}`);
  },
});
const tiles = await Promise.all(
  Array.from({ length: columns * columns }, async (_, index) => {
    const scene = sceneAt({
      things,
      seed: Number(seed),
      index,
      split,
      ...(style && { styles: [style as Style] }),
      colourOf: (thing, drawn) => sprites.get(thing, drawn).edge,
    });
    const counted = countedOf(scene).map(({ thing, count }) => `${count} ${thing.name}`);
    console.log(String(index).padStart(2), counted.join(", "), relationOf(scene) ?? "");
    const input = await sharp(drawScene(scene, sprites, { size }), {
      raw: { width: size, height: size, channels: 3 },
    })
      .resize(shown, shown, { kernel: "nearest" })
      .png()
      .toBuffer();
    const [column, row] = [index % columns, Math.floor(index / columns)];
    return { input, left: column * (shown + gap), top: row * (shown + gap) };
  }),
);
const side = columns * (shown + gap) - gap;
await sharp({ create: { width: side, height: side, channels: 3, background: "white" } })
  .composite(tiles)
  .png()
  .toFile(file);
