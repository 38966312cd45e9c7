/**
 * Photographs that lie beside the project, for training and testing. None of them is part of it: whoever has no such
 * folder gets none, and the recipe goes on without.
 */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { readTar } from "../../../src/data/tar.node.js";
import { decodeImages } from "./decodedImages.node.js";
import { cacheFolder } from "./packages.node.js";

export { type Character, omniglot } from "./omniglot.node.js";

export interface Photograph {
  /** Red, green, blue of 64 × 64 pixels, row by row. */
  readonly pixels: Uint8Array;
  /** What it shows, in lower case, without an article. */
  readonly kind: string;
  /** The kind first, then what else it may be called. */
  readonly names: readonly string[];
}

/** A photograph that people have described. */
export interface CaptionedPhotograph {
  readonly pixels: Uint8Array;
  readonly captions: readonly string[];
  /** "train" or "test", where the file says it. */
  readonly split?: string;
}

export interface PhotographOptions {
  /** Where decoded images are kept. Default: in a folder of the recipe's packages. */
  readonly cache?: string;
  /** Called while they are decoded, with images. */
  readonly progress?: (done: number, total: number) => void;
}

/** Where the first of ImageNet's names is not what one says, or says too little. By that name. */
const sayings: Readonly<Record<string, string>> = {
  automobile: "car",
  tabby: "tabby cat",
  "walking stick": "stick insect",
  monarch: "monarch butterfly",
  "lesser panda": "red panda",
  hog: "pig",
  "beach wagon": "station wagon",
  brass: "memorial plaque",
  projectile: "missile",
  teddy: "teddy bear",
  thatch: "thatched roof",
  organ: "pipe organ",
  beacon: "lighthouse",
};

function naming(names: readonly string[]): Naming {
  const said = names.map((name) => name.toLowerCase());
  const kind = sayings[said[0]!] ?? said[0]!;
  return { kind, names: [...new Set([kind, ...said])] };
}

/**
 * What the photographs of both sets are called.
 *
 * @param folder with `tinyimagenet` and `cifar10`, or one of them; left out: none
 * @returns in alphabetical order
 */
export async function kindsOfPhotographs(folder: string | undefined): Promise<readonly string[]> {
  if (folder === undefined) return [];
  const [imageNet, cifar] = [
    await tinyImageNetKinds(join(folder, "tinyimagenet")),
    await cifar10Kinds(join(folder, "cifar10")),
  ];
  return [...new Set([...(imageNet ?? []), ...(cifar ?? [])].map(({ kind }) => kind))].sort();
}

type Naming = Pick<Photograph, "kind" | "names">;

async function tinyImageNetKinds(folder: string): Promise<readonly Naming[] | undefined> {
  const classes = await readIfThere(join(folder, "classes.json"));
  return (
    classes &&
    (JSON.parse(classes.toString("utf8")) as { names: string[] }[]).map(({ names }) => naming(names))
  );
}

async function cifar10Kinds(folder: string): Promise<readonly Naming[] | undefined> {
  const meta = await readIfThere(join(folder, "meta.json"));
  return (
    meta && (JSON.parse(meta.toString("utf8")) as { classes: string[] }).classes.map((name) => naming([name]))
  );
}

/**
 * Small photographs of 202 kinds of things.
 *
 * @param folder with `classes.json`, `train.tar` and `val.tar`
 * @returns in the archive's order; none where there is no such file
 */
export async function tinyImageNet(
  folder: string,
  split: "train" | "test",
  { cache = cacheFolder, progress }: PhotographOptions = {},
): Promise<readonly Photograph[]> {
  const kinds = await tinyImageNetKinds(folder);
  const tar = join(folder, split === "train" ? "train.tar" : "val.tar");
  if (!kinds || !(await readIfThere(tar))) return [];
  const files: Uint8Array[] = [];
  const numbers: number[] = [];
  for await (const { name, data } of readTar(createReadStream(tar), { name: tar })) {
    if (name.endsWith(".jpg")) files.push(data!);
    if (name.endsWith(".cls")) numbers.push(Number(Buffer.from(data!).toString("latin1")));
  }
  const pixels = await decodeImages(files, { path: join(cache, `tinyimagenet-${split}.bin`), progress });
  return pixels.map((each, i) => ({ pixels: each, ...kinds[numbers[i]!]! }));
}

/**
 * CIFAR-10, scaled up from 32 pixels.
 *
 * @param folder with `meta.json`, `train.pack.br` and `test.pack.br`
 * @returns in the file's order; none where there is no such file
 */
export async function cifar10(
  folder: string,
  split: "train" | "test",
  { cache = cacheFolder, progress }: PhotographOptions = {},
): Promise<readonly Photograph[]> {
  const kinds = await cifar10Kinds(folder);
  const packed = await readIfThere(join(folder, `${split}.pack.br`));
  if (!kinds || !packed) return [];
  const pack = brotliDecompressSync(packed);
  const files: Uint8Array[] = [];
  const labels: number[] = [];
  // Records: a byte for the label, two for the length, the JPEG file.
  for (let at = 0; at < pack.length; at += 3 + pack.readUInt16LE(at + 1)) {
    labels.push(pack[at]!);
    files.push(pack.subarray(at + 3, at + 3 + pack.readUInt16LE(at + 1)));
  }
  const pixels = await decodeImages(files, { path: join(cache, `cifar10-${split}.bin`), progress });
  return pixels.map((each, i) => ({ pixels: each, ...kinds[labels[i]!]! }));
}

/** COCO's form of captions. */
interface Captions {
  readonly images: readonly { readonly id: number; readonly file_name: string; readonly split?: string }[];
  readonly annotations: readonly { readonly image_id: number; readonly caption: string }[];
}

/**
 * Any photographs with captions.
 *
 * @param folder with `captions.json` in COCO's form, and the images there or in `images/`
 * @returns those whose file is there; none where there are no captions
 */
export async function captioned(
  folder: string,
  { cache = cacheFolder, progress }: PhotographOptions = {},
): Promise<readonly CaptionedPhotograph[]> {
  const text = await readIfThere(join(folder, "captions.json"));
  if (!text) return [];
  const { images, annotations } = JSON.parse(text.toString("utf8")) as Captions;
  const files = await Promise.all(
    images.map(
      async ({ file_name: name }) =>
        (await readIfThere(join(folder, name))) ?? (await readIfThere(join(folder, "images", name))),
    ),
  );
  const found = images.flatMap((image, i) => (files[i] ? [{ image, file: files[i] }] : []));
  const pixels = await decodeImages(
    found.map(({ file }) => file),
    { path: join(cache, `captioned-${basename(folder)}.bin`), progress },
  );
  return found.map(({ image: { id, split } }, i) => ({
    pixels: pixels[i]!,
    captions: annotations.filter((each) => each.image_id === id).map(({ caption }) => caption),
    ...(split !== undefined && { split }),
  }));
}

const readIfThere = (path: string): Promise<Buffer | undefined> => readFile(path).catch(() => undefined);
