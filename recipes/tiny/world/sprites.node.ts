/** Every thing in every style as pixels, rendered once and kept in a file. */
import { join } from "node:path";
import sharp from "sharp";
import { openCacheFile } from "./cacheFile.node.js";
import { cacheFolder, type Icon, type Icons, readIcons, versionOf } from "./packages.node.js";
import {
  type OutlinedStyle,
  outlinedStyles,
  type PackagedStyle,
  packagedStyles,
  type Style,
} from "./scene.js";
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
  const drawings = packagedStyles.flatMap((style) =>
    things.flatMap(({ icons }) => (icons[style] === undefined ? [] : [{ style, icon: icons[style] }])),
  );
  const packages = await Promise.all(packagedStyles.map(async (style) => [style, await versionOf(style)]));
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
  const iconsOf = new Map(things.map(({ name, icons }) => [name, icons]));
  const pixelsOf = (name: string, style: PackagedStyle): Uint8Array => {
    const row = rowOf.get(`${style}/${iconsOf.get(name)?.[style]}`);
    if (row === undefined) throw new Error(`there is no drawing of "${name}" in the style ${style}`);
    return rows.subarray(rowBytes * row, rowBytes * (row + 1));
  };
  const open = new Map<string, Sprite>();
  return {
    get({ name }, style) {
      const key = `${style}/${name}`;
      const known = open.get(key);
      if (known) return known;
      const sprite = spriteOf(
        isOutlined(style)
          ? laidOver(
              ...(outlinedStyles[style].map((part) => pixelsOf(name, part)) as [Uint8Array, Uint8Array]),
            )
          : pixelsOf(name, style),
      );
      open.set(key, sprite);
      return sprite;
    },
  };
}

const isOutlined = (style: Style): style is OutlinedStyle => style in outlinedStyles;

/** Colours are multiplied by alpha. */
function laidOver(below: Uint8Array, above: Uint8Array): Uint8Array {
  return below.map((value, i) => above[i]! + Math.round((value * (255 - above[i | 3]!)) / 255));
}

function spriteOf(data: Uint8Array): Sprite {
  const levels = levelsOf(data);
  return { levels, edge: edgeColour(levels) };
}

/** One style after the other, since the drawings of one alone are 100 MB of text. */
async function* render(
  drawings: readonly { style: PackagedStyle; icon: string }[],
): AsyncGenerator<Uint8Array> {
  for (const style of packagedStyles) {
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
