/** The packages of `recipes/tiny` that hold the drawings and their names. They are installed apart from the program's own. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeWhole } from "../../../src/base/wholeFile.node.js";
import type { PackagedStyle } from "./scene.js";

const folder = new URL("../node_modules/", import.meta.url);
const fileOf = (name: string) => fileURLToPath(new URL(name, folder));

/** Where the recipe keeps what it can make again; npm leaves this folder alone until it installs anew. */
export const cacheFolder = fileURLToPath(new URL(".cache/openflamingo-recipe-tiny/", folder));

/** How they come there. */
export const howToInstall = "npm ci --prefix recipes/tiny";

/** Whether the packages are there. */
export const areInstalled = (): boolean => existsSync(fileOf("unicode-emoji-json/package.json"));

/** Emoji by their characters, in Unicode's order. */
export type Emoji = Readonly<
  Record<string, { readonly name: string; readonly slug: string; readonly group: string }>
>;

/** Drawings of a style by name; sizes are those of the whole set where an icon has none. */
export interface Icons {
  readonly icons: Readonly<Record<string, Icon>>;
  readonly width?: number;
  readonly height?: number;
}

/** A drawing: what is inside of an SVG element, and its view box. */
export interface Icon {
  readonly body: string;
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}

export const readEmoji = (): Promise<Emoji> => readJson<Emoji>("unicode-emoji-json/data-by-emoji.json");

export const readIcons = (style: PackagedStyle): Promise<Icons> =>
  readJson<Icons>(`@iconify-json/${style}/icons.json`);

/** The version of a style's package. */
export const versionOf = async (style: PackagedStyle): Promise<string> =>
  (await readJson<{ version: string }>(`@iconify-json/${style}/package.json`)).version;

/** The names of a style's drawings. They are kept in a file: those of Fluent Emoji are among 100 MB of drawings. */
export async function iconNamesOf(style: PackagedStyle): Promise<ReadonlySet<string>> {
  const path = join(cacheFolder, `names-${style}-${await versionOf(style)}.json`);
  const found = await readFile(path, "utf8").catch(() => undefined);
  if (found !== undefined) return new Set(JSON.parse(found) as string[]);
  const names = Object.keys((await readIcons(style)).icons);
  await mkdir(cacheFolder, { recursive: true });
  await writeWhole(path, (file) => file.writeFile(JSON.stringify(names)));
  return new Set(names);
}

async function readJson<T>(name: string): Promise<T> {
  const text = await readFile(fileOf(name), "utf8").catch((cause: unknown) => {
    throw new Error(`${name} is not installed: ${howToInstall}`, { cause });
  });
  return JSON.parse(text) as T;
}
