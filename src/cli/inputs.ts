/** What the command line is given as images: files, folders of them, and `-` for standard input. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { OpenFlamingoError } from "../base/errors.js";
import type { ImageSource } from "../images/index.js";

/** An image to be read, and what answers call it. */
export interface ImageInput {
  readonly name: string;
  readonly source: () => ImageSource;
}

/** Names that image files of the formats that are read end in. */
const endings = /\.(jpe?g|jpe|jfif|mpo|png|apng|webp|gif|tiff?|bmp|dib|avif)$/i;

/**
 * The images that arguments name, in order. Of a folder: its image files, by their names' endings, in the order of the
 * names; not those of folders in it.
 *
 * @throws OpenFlamingoError `image-missing` for a folder without images; `usage` for standard input given twice
 */
export async function imageInputs(paths: readonly string[]): Promise<readonly ImageInput[]> {
  if (paths.filter((path) => path === "-").length > 1) {
    throw new OpenFlamingoError("usage", "standard input (-) is given twice", { hint: "It is one image." });
  }
  const inputs = await Promise.all(paths.map(inputsOf));
  return inputs.flat();
}

async function inputsOf(path: string): Promise<readonly ImageInput[]> {
  if (path === "-")
    return [{ name: "-", source: () => Readable.toWeb(process.stdin) as ReadableStream<Uint8Array> }];
  // Whatever else is wrong with a path is reported where it is read.
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isDirectory()) return [{ name: path, source: () => path }];
  const files = await readdir(path, { withFileTypes: true });
  const names = files
    .filter((file) => !file.isDirectory() && endings.test(file.name))
    .map(({ name }) => name);
  if (names.length === 0) {
    throw new OpenFlamingoError("image-missing", `${path}: the folder has no image files`, {
      hint: "Their names end in .jpg, .png, .webp, .gif, .tif, .bmp or .avif. Or name the files.",
    });
  }
  return names.sort().map((name) => ({ name: join(path, name), source: () => join(path, name) }));
}
