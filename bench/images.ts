/**
 * How long does an image take before it reaches the model? Decoding, and resizing with all that follows.
 *
 *     npx tsx bench/images.ts
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { decodeImage } from "../src/images/decode.node.js";
import { preprocess } from "../src/images/index.js";
import { report, reportMachine, timed } from "./measure.js";

const photo = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../assets/photos/${name}`, import.meta.url)));
const enlarged = await sharp(photo("rocket.jpg")).resize(2000, 1500, { fit: "fill" }).jpeg().toBuffer();
const clip = { size: 224, mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] } as const;

reportMachine();
for (const [name, file] of [
  ["JPEG of 2000 x 1500", enlarged],
  ["JPEG of 640 x 427", photo("rocket.jpg")],
  ["PNG of 600 x 400", photo("coffee.png")],
] as const) {
  const raster = await decodeImage(file);
  report(`${name}, decode`, await timed(() => decodeImage(file), 25));
  report(`${name}, preprocess`, await timed(() => preprocess(raster, clip), 25));
}
