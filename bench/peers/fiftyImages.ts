/**
 * Fifty images for both sides of a comparison: the photographs at hand, and made-up ones of many sizes and modes,
 * always the same. Only formats whose pixels do not depend on the decoder: no AVIF, which each of them rounds its way.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp, { type Sharp } from "sharp";
import { randomStream } from "../../src/base/random.js";

const folders = ["../../assets/photos/", "../../assets/photos/cc0/", "../../../shared/goldens/photos/"].map(
  (folder) => fileURLToPath(new URL(folder, import.meta.url)),
);

/** How a made-up image is saved, by kind of file. */
const kinds: readonly (readonly [name: string, (of: Sharp) => Sharp])[] = [
  ["rgb.png", (of) => of.png()],
  ["grey.png", (of) => of.greyscale().png()],
  ["alpha.png", (of) => of.ensureAlpha(0.5).png()],
  ["palette.png", (of) => of.png({ palette: true, colours: 32 })],
  ["colour420.jpg", (of) => of.jpeg({ quality: 85 })],
  ["colour444.jpg", (of) => of.jpeg({ quality: 60, chromaSubsampling: "4:4:4" })],
  ["progressive.jpg", (of) => of.jpeg({ progressive: true })],
  ["grey.jpg", (of) => of.greyscale().jpeg()],
  ["cmyk.jpg", (of) => of.toColourspace("cmyk").jpeg()],
];

/**
 * @param folder where the made-up ones are written
 * @returns the files of exactly fifty images, and how many of them are photographs
 */
export async function fiftyImages(folder: string): Promise<{ files: string[]; photographs: number }> {
  const byName = new Map<string, string>(); // a photograph in two of the folders counts once
  for (const from of folders.filter((each) => existsSync(each))) {
    for (const name of readdirSync(from)) {
      if (/\.(png|jpg)$/.test(name) && !byName.has(name)) byName.set(name, join(from, name));
    }
  }
  const files = [...byName.values()].slice(0, 50);
  const photographs = files.length;
  for (let i = 0; files.length < 50; i++) {
    const [name, save] = kinds[i % kinds.length]!;
    const file = join(folder, `${String(i).padStart(2, "0")}-${name}`);
    await save(madeUp(i)).toFile(file);
    files.push(file);
  }
  return { files, photographs };
}

/** Waves of three colours and some noise, from 20 to 700 pixels a side. */
function madeUp(seed: number): Sharp {
  const { uniform } = randomStream(seed, "image");
  const [width, height] = [side(uniform(0, 0)), side(uniform(0, 1))];
  const waves = [0, 1, 2].map((channel) => ({
    across: 12 * uniform(1, channel),
    down: 12 * uniform(2, channel),
    phase: 6.3 * uniform(3, channel),
    middle: 60 + 135 * uniform(4, channel),
  }));
  const noise = 40 * uniform(5);
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const grain = noise * (((Math.imul(at + 1, 2654435761) >>> 16) % 256) / 256 - 0.5);
      for (const { across, down, phase, middle } of waves) {
        const value = middle + 60 * Math.sin((across * x) / width + (down * y) / height + phase) + grain;
        data[at++] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const side = (uniform: number): number => Math.round(20 * 35 ** uniform);
