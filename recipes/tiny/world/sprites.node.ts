/** Every thing in every style as pixels, rendered once and kept in a file. */
import { join } from "node:path";
import sharp from "sharp";
import { openCacheFile } from "./cacheFile.node.js";
import { cacheFolder, type Icon, type Icons, readIcons, versionOf } from "./packages.node.js";
import { type Style, styles } from "./scene.js";
import { edgeColour, levelsOf, type Sprite, type Sprites, spriteSide } from "./sprite.js";
import type { DrawnThing } from "./things.node.js";
import { type Rendered, trimmed } from "./trim.js";

/** To be raised when the same drawings come to give other pixels. */
const form = 1;
const renderedSide = 192;

export interface SpriteOptions {
  /** Default: in a folder of the recipe's packages. */
  readonly path?: string;
  /** Called while they are rendered, with sprites. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Opens the sprites; renders them where the file is not there or was made of other things, packages or libraries.
 *
 * A sprite's smaller copies are made when it is asked for first.
 */
export async function openSprites(
  things: readonly DrawnThing[],
  { path = join(cacheFolder, "sprites.bin"), progress }: SpriteOptions = {},
): Promise<Sprites> {
  const drawings = styles.flatMap((style) =>
    things.filter((thing) => !thing.missingStyles?.includes(style)).map(({ icon }) => ({ style, icon })),
  );
  const packages = await Promise.all(styles.map(async (style) => [style, await versionOf(style)]));
  const rowBytes = 4 * spriteSide * spriteSide;
  const rows = await openCacheFile({
    path,
    madeOf: {
      what: "sprites: premultiplied RGBA",
      form,
      side: spriteSide,
      packages: Object.fromEntries(packages),
      librsvg: sharp.versions.rsvg,
      drawings: drawings.map(({ style, icon }) => `${style}/${icon}`),
    },
    rows: drawings.length,
    rowBytes,
    make: () => render(drawings),
    progress,
  });

  const rowOf = new Map(drawings.map(({ style, icon }, row) => [`${style}/${icon}`, row]));
  const iconOf = new Map(things.map(({ name, icon }) => [name, icon]));
  const open = new Map<number, Sprite>();
  return {
    get({ name }, style) {
      const row = rowOf.get(`${style}/${iconOf.get(name)}`);
      if (row === undefined) throw new Error(`there is no drawing of "${name}" in the style ${style}`);
      const sprite = open.get(row) ?? spriteOf(rows.subarray(rowBytes * row, rowBytes * (row + 1)));
      open.set(row, sprite);
      return sprite;
    },
  };
}

function spriteOf(data: Uint8Array): Sprite {
  const levels = levelsOf(data);
  return { levels, edge: edgeColour(levels) };
}

/** One style after the other, since the drawings of one alone are 100 MB of text. */
async function* render(drawings: readonly { style: Style; icon: string }[]): AsyncGenerator<Uint8Array> {
  for (const style of styles) {
    const icons = await readIcons(style);
    for (const drawing of drawings) {
      if (drawing.style === style) yield trimmed(await renderIcon(icons, icons.icons[drawing.icon]!));
    }
  }
}

/** @param set with the sizes of icons that have none of their own; Iconify's default is 16 */
async function renderIcon(set: Icons, icon: Icon): Promise<Rendered> {
  const { left = 0, top = 0, width = set.width ?? 16, height = set.height ?? 16, body } = icon;
  const scale = renderedSide / Math.max(width, height);
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' +
    `viewBox="${left} ${top} ${width} ${height}" width="${scale * width}" height="${scale * height}">${body}</svg>`;
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}
